#!/usr/bin/env bash
# The experiment of docs/en/real_faces.md: FMAE and FMAE-IAT on small real faces, with and without
# pretraining, 3 folds x 3 seeds. Finished runs are skipped, so it resumes after a kill.
#   FMAE_REAL_DATA=FOLDER bash tools/benchmark/real_faces.sh [runs at a time, default 2]
#   METHODS="fmae iat" leaves out those from scratch.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${FMAE_REAL_DATA:?set it to the folder that holds ck48/ and faces/}"
export FMAE_REAL_DATA OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
OUT=work_dirs/real_faces WORKERS="${1:-2}" METHODS="${METHODS:-scratch-fmae scratch-iat fmae iat}"

for fold in 1 2 3; do
    if [ -e "$OUT/pretrain_fold$fold/epoch_40.pth" ]; then continue; fi
    FOLD=$fold python tools/train.py configs/real_faces/pretrain.py --resume --work-dir "$OUT/pretrain_fold$fold"
done

CONFIGS=()
for method in $METHODS; do CONFIGS+=("configs/real_faces/$method.py"); done
python tools/cross_validate.py "${CONFIGS[@]}" --seeds 0 1 2 --workers "$WORKERS" --out "$OUT/runs"

for method in $METHODS; do
    for seed in 0 1 2; do
        python tools/analysis_tools/pool_folds.py --name "$method seed $seed" \
            "$OUT/runs/$method"/fold{1,2,3}"_seed$seed/predictions.npz"
    done
done
python tools/report.py "$OUT/runs" -o "$OUT/report.html" --base fmae --ours iat --probe-frames 3 3 \
    --title "FMAE and FMAE-IAT on small real faces"
