#!/usr/bin/env bash
# Runs the tests: the environment of train.sh with the test extras, then pytest.
#   bash test.sh                               all but the slow ones, in two processes
#   bash test.sh -m slow                       the slow ones
#   bash test.sh tests/test_export.py -k bytes
# Pictures that may not be passed on are found through TFFACE_TEST_DATA; tests that need them skip without it.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
python=$(bash "$here/scripts/ensure_env.sh" test parity)
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-3}
cd -- "$here"
status=0
if [ $# -eq 0 ]; then
  # Two processes of one thread each: most of a test is Python, and threads of two processes would wait for each other.
  TF_NUM_INTRAOP_THREADS=1 "$python" -m pytest -n 2 --dist loadfile || status=$?
  printf 'The slow tests are not among these: bash test.sh -m slow\n' >&2
else
  "$python" -m pytest "$@" || status=$?
fi
exit "$status"
