#!/usr/bin/env bash
# The experiment of docs/en/real_faces.md, "Trained longer": FMAE and the settled adversary on small real faces, 3 folds x
# 3 seeds. Finished runs are skipped, so it resumes after a kill.
#   FMAE_REAL_DATA=FOLDER bash tools/benchmark/real_faces_long.sh [runs at a time, default 2]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${FMAE_REAL_DATA:?set it to the folder that holds ck48/ and faces/}"
export FMAE_REAL_DATA OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
OUT=work_dirs/real_faces WORKERS="${1:-2}"

for fold in 1 2 3; do
    if [ -e "$OUT/long_pretrain_fold$fold/epoch_120.pth" ]; then continue; fi
    FOLD=$fold python tools/train.py configs/real_faces/long_pretrain.py --resume \
        --work-dir "$OUT/long_pretrain_fold$fold"
done
python tools/cross_validate.py configs/real_faces/long_{fmae,settled}.py --seeds 0 1 2 --workers "$WORKERS" \
    --out "$OUT/long_runs"
python tools/report.py "$OUT/long_runs" -o "$OUT/long_report.html" --base long_fmae --ours long_settled \
    --probe-frames 3 3 --title "FMAE and the settled adversary on small real faces"
