#!/usr/bin/env bash
# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
# Train on several GPUs of one or more machines; without a GPU on as many processes (gloo).
#   bash tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT in the environment, the same command on each;
# GPUS are those of one machine. PYTHON names another interpreter than `python`.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '3,6s/^# \{0,1\}//p' "$0"
    [ "${1:-}" = --help ]
    exit
fi
CONFIG="$1"
GPUS="$2"
shift 2
TOOLS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

PYTHONPATH="$TOOLS/..:${PYTHONPATH:-}" "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$GPUS" \
    "$TOOLS/train.py" "$CONFIG" --launcher pytorch "$@"
