#!/usr/bin/env bash
# Trains a model: makes the Python environment if there is none, then runs `python -m tfface train "$@"`.
#   bash train.sh ganimation
#   bash train.sh ganimation --preset smoke
#   bash train.sh --help
# No default of a model stands here: see the config class in its file under tfface/models/.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
python=$(bash "$here/scripts/ensure_env.sh")
# Quiet about missing CUDA drivers and CPU features: what goes wrong arrives as a Python exception.
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-3}
if [ $# -eq 0 ]; then
  set -- --help
fi
exec "$python" -m tfface train "$@"
