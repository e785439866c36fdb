#!/usr/bin/env bash
# The paper's experiment in small, on rendered faces: no licence, no GPU, 10 to 12 minutes of CPU.
#   bash tools/quickstart.sh                     -> work_dirs/quickstart/report.html, report.json
#   bash tools/quickstart.sh --seed 1 --work-dir work_dirs/quickstart_seed1
# Sets up its environment first (see setup_env.sh). Finished steps are skipped when run again.
set -euo pipefail
EXTRAS="stack analysis"
source "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"
cd "$ROOT"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" PYTHONWARNINGS="${PYTHONWARNINGS:-ignore}"
"$PYTHON" -m fmae_iat_plugin.experiments.quickstart "$@"
