#!/usr/bin/env bash
# Prints the Python that tfface runs with, after installing into it whatever requirements.txt asks for.
#   usage: python=$(bash scripts/ensure_env.sh [EXTRA...])      EXTRA: an extra of pyproject.toml, e.g. test
# An active virtual environment, conda environment or Colab is used as it is; elsewhere .venv is made beside train.sh.
# A stamp inside the environment says what was installed, so that a later start costs one short Python call.
set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 2
}

is_supported() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

# 1. The interpreter.
if [ -n "${VIRTUAL_ENV:-}" ]; then
  python=$VIRTUAL_ENV/bin/python
elif [ -n "${CONDA_PREFIX:-}" ] && [ -x "$CONDA_PREFIX/bin/python" ]; then
  python=$CONDA_PREFIX/bin/python
elif [ -n "${COLAB_RELEASE_TAG:-}" ]; then
  python=$(command -v python3)
else
  python=$root/.venv/bin/python
  # Made anew where its Python does not run (an upgrade of the system took it away); completed where making it was
  # interrupted before pip was in.
  if ! is_supported "$python"; then
    make_env=(-m venv --clear)
  elif ! command -v uv >/dev/null && ! "$python" -m pip --version >/dev/null 2>&1; then
    make_env=(-m venv)
  else
    make_env=()
  fi
  if [ ${#make_env[@]} -gt 0 ]; then
    base=
    # 3.11 first: there the parity tests run too. Asked to run, because version managers install names that only complain.
    for name in python3.11 python3.12 python3.13 python3 python; do
      if is_supported "$name"; then
        base=$name
        break
      fi
    done
    [ -n "$base" ] || fail "tfface needs Python 3.11, 3.12 or 3.13 and found none on PATH; install one or activate an environment that has it"
    printf 'Making %s with %s\n' "$root/.venv" "$base" >&2
    "$base" "${make_env[@]}" "$root/.venv" >&2 ||
      fail "$base could not make $root/.venv; install its venv module (Debian, Ubuntu: apt install python3-venv)"
  fi
fi
[ -x "$python" ] || fail "no Python at $python; deactivate that environment or make it again"
is_supported "$python" ||
  fail "tfface needs Python 3.11, 3.12 or 3.13; $python is $("$python" -c 'import platform; print(platform.python_version())')"

# 2. What is wanted, and what the stamp says is there. One stamp for all extras: an environment serves one checkout.
extras=("$@")
# The driver's own tool must answer: the file alone is there in containers without a GPU too.
if nvidia-smi -L >/dev/null 2>&1; then
  extras+=(cuda)
fi
wanted=$("$python" - "$root" <<'PYTHON'
import hashlib, pathlib, sys

root = pathlib.Path(sys.argv[1])
digest = hashlib.sha256(f"{root}\n{sys.version}\n".encode())
for name in ("requirements.txt", "pyproject.toml"):
    digest.update((root / name).read_bytes())
print(pathlib.Path(sys.prefix, "tfface-installed"))
print(digest.hexdigest())
PYTHON
)
stamp=${wanted%$'\n'*}
digest=${wanted##*$'\n'}
installed=
if [ -f "$stamp" ] && [ "$(sed -n 1p "$stamp")" = "$digest" ]; then
  installed=$(sed -n 2p "$stamp")
fi
missing=
for part in tfface ${extras[@]+"${extras[@]}"}; do
  case " $installed " in
    *" $part "*) ;;
    *) missing="$missing $part" ;;
  esac
done

# 3. Install, and stamp only what was finished.
if [ -n "$missing" ]; then
  rm -f "$stamp"
  printf 'Installing what tfface needs into %s (the first time: about 2 GB, some minutes)\n' "$(dirname -- "$stamp")" >&2
  cd -- "$root"
  project=.
  if [ ${#extras[@]} -gt 0 ]; then
    project=.[$(IFS=,; printf '%s' "${extras[*]}")]
  fi
  if command -v uv >/dev/null; then
    uv pip install --python "$python" -e "$project" >&2
  else
    "$python" -m pip install -e "$project" >&2
  fi
  { printf '%s\n%s\n' "$digest" "$installed$missing" >"$stamp"; } 2>/dev/null ||
    printf 'note: %s cannot be written, so requirements are checked at every start\n' "$stamp" >&2
fi
printf '%s\n' "$python"
