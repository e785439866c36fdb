#!/usr/bin/env bash
# Sets up what it needs, then runs linters, type checker and tests; arguments go to pytest.
#   bash tools/run_tests.sh            everything
#   bash tools/run_tests.sh -k metric  some of it
set -euo pipefail
EXTRAS="stack analysis face face9m demo export parquet ray slurm zoo docs tests"
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$ROOT"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
"$PYTHON" -m ruff check .
"$(dirname "$PYTHON")/lint-imports"
"$PYTHON" -m mypy
"$PYTHON" -m pytest -q "$@" tests
