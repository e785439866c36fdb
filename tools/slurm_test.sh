#!/usr/bin/env bash
# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
# Test on a Slurm cluster; in an allocation of sbatch, or from the login node.
#   bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
# In the environment: GPUS in total (8), GPUS_PER_NODE (8; 0: none, gloo), CPUS_PER_TASK (8),
# SRUN_ARGS for further options of srun, PORT, PYTHON.
set -euo pipefail
if [ $# -lt 4 ]; then
    sed -n '3,6s/^# \{0,1\}//p' "$0"
    [ "${1:-}" = --help ]
    exit
fi
PARTITION="$1"
JOB_NAME="$2"
CONFIG="$3"
CHECKPOINT="$4"
shift 4
# sbatch runs a copy of this file, which lies elsewhere
TOOLS="${TOOLS:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}"
[ -f "$TOOLS/test.py" ] || TOOLS="${SLURM_SUBMIT_DIR:-$PWD}/tools"
GPUS="${GPUS:-8}"
GPUS_PER_NODE="${GPUS_PER_NODE:-8}"
TASKS_PER_NODE=$((GPUS_PER_NODE == 0 || GPUS < GPUS_PER_NODE ? GPUS : GPUS_PER_NODE))
RESOURCES=()
if [ "$GPUS_PER_NODE" != 0 ]; then RESOURCES=(--gres="gpu:$TASKS_PER_NODE"); fi

export MASTER_PORT="${PORT:-29500}" PYTHONPATH="$TOOLS/..:${PYTHONPATH:-}"
# shellcheck disable=SC2086  # SRUN_ARGS are several words
exec srun -p "$PARTITION" --job-name="$JOB_NAME" "${RESOURCES[@]}" --ntasks="$GPUS" \
    --ntasks-per-node="$TASKS_PER_NODE" --cpus-per-task="${CPUS_PER_TASK:-8}" \
    --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher slurm "$@"
