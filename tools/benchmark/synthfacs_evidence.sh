#!/usr/bin/env bash
# The experiment of docs/en/evidence_runs.md on rendered faces: FMAE and FMAE-IAT in 3 folds x 3 seeds, the
# ablations on fold 1. Finished steps are skipped, so it resumes after a kill.
#   bash tools/benchmark/synthfacs_evidence.sh [runs at a time, default 2]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
OUT="${OUT:-work_dirs/synthfacs_evidence}" WORKERS="${1:-2}"
FMAE=configs/synthfacs/quickstart_fmae.py IAT=configs/synthfacs/quickstart_iat-paper.py

# Pretraining is on other people, so one encoder serves all folds.
render() { # folder, options
    python tools/dataset_converters/synthfacs.py table "$@" --size 64 --shortcut 1 \
        --aus 1 2 4 6 9 12 25 26 --workers "$WORKERS"
}
render "$OUT/faces" --seed 1000
for fold in 1 2 3; do render "$OUT/faces_fold$fold" --seed 200 --fold "$fold"; done

pretrain() { # name, options
    if [ -e "$OUT/$1/epoch_60.pth" ]; then return; fi
    QUICKSTART_DIR="$OUT" python tools/train.py configs/synthfacs/quickstart_pretrain.py --resume \
        --work-dir "$OUT/$1" ${2:+--cfg-options "${@:2}"}
}
SMALL=(model.backbone.arch.embed_dims=96 model.backbone.arch.num_layers=2
       model.backbone.arch.num_heads=3 model.backbone.arch.feedforward_channels=384)
pretrain pretrain
pretrain pretrain_small "${SMALL[@]}" model.neck.embed_dim=96

DATA=(train_cfg.max_epochs=14)
for loader in train val test; do
    DATA+=("${loader}_dataloader.dataset.data_root=$OUT/faces_fold{fold}")
done
cross_validate() { # name of the encoder, configs and options
    python tools/cross_validate.py "${@:2}" --out "$OUT/runs" --workers "$WORKERS" --seeds 0 1 2 \
        --cfg-options "${DATA[@]}" "model.pretrained=$OUT/$1/epoch_60.pth"
}
SCALE=model.adversary.neck.scale WIDTHS=model.adversary.head.hidden_dims
cross_validate pretrain $FMAE $IAT --folds 1 2 3
cross_validate pretrain $IAT --folds 1 --variant lambda0.02 $SCALE=0.02 --variant lambda1 $SCALE=1 \
    --variant lambda2 $SCALE=2 --variant lambda3 $SCALE=3 --variant head2 "$WIDTHS=(96,)" \
    --variant head3 "$WIDTHS=(96,48)"
cross_validate pretrain configs/synthfacs/quickstart_iat-ramp.py --folds 1
cross_validate pretrain_small $FMAE --folds 1 --variant small "${SMALL[@]}" model.head.in_channels=96
python tools/report.py "$OUT/runs" -o "$OUT/report.html" --base quickstart_fmae --ours quickstart_iat-paper \
    --title "FMAE and FMAE-IAT on rendered faces"
