#!/usr/bin/env bash
# The experiment of docs/en/settled_runs.md on rendered faces: the paper's adversary, the settled one, its control with
# shuffled identities, and LEACE, over the strength of the shortcut. Finished steps are skipped, so it resumes after a kill.
#   SEEDS="300 301 302" bash tools/benchmark/settled.sh [runs at a time, default 1]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
OUT="${OUT:-work_dirs/settled}" SEEDS="${SEEDS:-300 301 302}" WORKERS="${1:-1}"
FMAE=configs/synthfacs/quickstart_fmae.py IAT=configs/synthfacs/quickstart_iat.py

render() { # folder, options
    python tools/dataset_converters/synthfacs.py table "$@" --size 64 --aus 1 2 4 6 9 12 25 26 --workers "$WORKERS"
}
# Pretraining is on other people, so one encoder serves all.
SMALL=(model.backbone.arch.embed_dims=128 model.backbone.arch.num_layers=3 model.backbone.arch.num_heads=4
       model.backbone.arch.feedforward_channels=512)
render "$OUT/faces" --seed 1000 --shortcut 1
if [ ! -e "$OUT/pretrain/epoch_60.pth" ]; then
    QUICKSTART_DIR="$OUT" python tools/train.py configs/synthfacs/quickstart_pretrain.py --resume \
        --work-dir "$OUT/pretrain" --cfg-options "${SMALL[@]}" model.neck.embed_dim=128
fi

DATA=(train_cfg.max_epochs=20 train_cfg.val_interval=20 "model.pretrained=$OUT/pretrain/epoch_60.pth"
      model.head.in_channels=128 "${SMALL[@]}")
NECK=model.adversary.neck HEAD=model.adversary.head WIDTH=model.adversary.head.in_channels=128
run() { # shortcut, config, variants
    for shortcut in $1; do
        for seed in $SEEDS; do render "$OUT/faces_${seed}_$shortcut/fold1" --seed "$seed" --shortcut "$shortcut"; done
        roots=()
        for loader in train val test; do
            roots+=("${loader}_dataloader.dataset.data_root=$OUT/faces_{seed}_$shortcut/fold{fold}")
        done
        python tools/cross_validate.py "$2" --folds 1 --out "$OUT/shortcut_$shortcut" --workers "$WORKERS" \
            --seeds $SEEDS --feature-frames 100 --cfg-options "${DATA[@]}" "${roots[@]}" "${@:3}"
    done
}
SETTLED=($WIDTH $HEAD.loss=ce $HEAD.per_subject=True) PAPER=($WIDTH $HEAD.loss=bce $HEAD.per_subject=False)
SHUFFLED=train_dataloader.dataset.shuffled_subjects=0
run "0 0.5 1" $FMAE
run "0 0.5 1" $IAT --variant bce0.5 "${PAPER[@]}" $NECK.scale=0.5 --variant settled2 "${SETTLED[@]}" $NECK.scale=2 \
    --variant shuffled2 "${SETTLED[@]}" $NECK.scale=2 $SHUFFLED
run 1 $IAT --variant bce2 "${PAPER[@]}" $NECK.scale=2 --variant settled1 "${SETTLED[@]}" $NECK.scale=1 \
    --variant closed2 "${SETTLED[@]}" $NECK.scale=2 $HEAD.fit=closed_form $HEAD.bank=512
for shortcut in 0 0.5 1; do
    python tools/analysis_tools/references.py "$OUT/shortcut_$shortcut" quickstart_fmae
    python tools/report.py "$OUT/shortcut_$shortcut" -o "$OUT/shortcut_$shortcut.html" --base quickstart_fmae \
        --ours quickstart_iat-settled2 --workers "$WORKERS" --title "The settled adversary, shortcut $shortcut"
    for other in quickstart_iat-bce0.5 quickstart_iat-settled2 quickstart_iat-shuffled2 quickstart_fmae-leace; do
        base=quickstart_fmae
        if [ "$other" = quickstart_fmae-leace ]; then base=quickstart_fmae-refit; fi
        python tools/analysis_tools/compare.py "$OUT/shortcut_$shortcut" --test "$other" "$base"
    done
done
python tools/visualization/adversary.py "$OUT"/shortcut_{0,0.5,1}.json --settings 0 0.5 1 --xlabel shortcut --out "$OUT/pictures" \
    --experiments quickstart_fmae quickstart_iat-{bce0.5,settled2,shuffled2} quickstart_fmae-leace
