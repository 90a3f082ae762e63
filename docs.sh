#!/usr/bin/env bash
# Builds the documentation site into build/docs: the environment of train.sh with the docs extra, then mkdocs.
#   bash docs.sh           builds, and fails on a link or anchor that leads nowhere
#   bash docs.sh serve     shows it in a browser while pages are written; any mkdocs command works
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
python=$(bash "$here/scripts/ensure_env.sh" docs)
cd -- "$here"
export NO_MKDOCS_2_WARNING=1 # about its successors
if [ $# -eq 0 ]; then
  set -- build --strict
fi
exec "$python" -m mkdocs "$@"
