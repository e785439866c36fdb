#!/usr/bin/env bash
# Sets up what it needs, then runs linters, type checker and tests; arguments go to pytest.
#   bash tools/run_tests.sh                     everything, in two processes (-n 4: in four)
#   bash tools/run_tests.sh -k metric           some of it
#   bash tools/run_tests.sh tests/test_models   a folder or file, in one process
set -euo pipefail
EXTRAS="stack analysis interpret face face9m demo export parquet ray slurm zoo docs tests"
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$ROOT"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
"$PYTHON" -m ruff check .
"$(dirname "$PYTHON")/lint-imports"
"$PYTHON" -m mypy
places=0
for argument in "$@"; do
    [ ! -e "${argument%%::*}" ] || places=1
done
if [ $places = 1 ]; then
    exec "$PYTHON" -m pytest -q "$@"
fi
# a file in one process, in the order of their names
exec "$PYTHON" -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder "$@" tests
