#!/usr/bin/env bash
# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
# Test on several GPUs of one or more machines; without a GPU on as many processes (gloo).
#   bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of tools/test.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT in the environment, the same command on each;
# GPUS are those of one machine. PYTHON names another interpreter than `python`.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '3,6s/^# \{0,1\}//p' "$0"
    [ "${1:-}" = --help ]
    exit
fi
CONFIG="$1"
CHECKPOINT="$2"
GPUS="$3"
shift 3
TOOLS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

PYTHONPATH="$TOOLS/..:${PYTHONPATH:-}" "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$GPUS" \
    "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "$@"
