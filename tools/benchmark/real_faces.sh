#!/usr/bin/env bash
# The experiment of docs/en/real_faces.md: FMAE and FMAE-IAT on small real faces, with and without
# pretraining, 3 folds x 3 seeds. Finished runs are skipped, so it resumes after a kill.
#   FMAE_REAL_DATA=FOLDER bash tools/benchmark/real_faces.sh [processes at a time, default 2]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${FMAE_REAL_DATA:?set it to the folder that holds ck48/ and faces/}"
export FMAE_REAL_DATA OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore
OUT=work_dirs/real_faces

run() { # name of the config, seed
    local dir="$OUT/$1${2:+_seed$2}"
    if [ -e "$dir/finished" ]; then return; fi
    mkdir -p "$dir"
    local options=("randomness.seed=${2:-0}")
    if [ -n "${2:-}" ]; then options+=("val_evaluator.out_file=$dir/predictions.npz"); fi
    echo "$(date +%T) $dir"
    if TIMEFORMAT='%U seconds of CPU' && time python tools/train.py "configs/real_faces/$1.py" --resume \
        --work-dir "$dir" --cfg-options "${options[@]}" >"$dir/stdout.log" 2>&1; then
        touch "$dir/finished"
    else
        echo "failed: $dir, see $dir/stdout.log" && return 1
    fi
} 2>&1
export -f run
export OUT

printf '%s\n' pretrain_fold{1,2,3} | xargs -P "${1:-2}" -I{} bash -c 'run {}'
for seed in 0 1 2; do
    for fold in 1 2 3; do
        for method in scratch-fmae scratch-iat fmae iat; do echo "${method}_fold$fold $seed"; done
    done
done | xargs -P "${1:-2}" -L 1 bash -c 'run $0 $1'

for method in scratch-fmae scratch-iat fmae iat; do
    for seed in 0 1 2; do
        python tools/analysis_tools/pool_folds.py --name "$method seed $seed" \
            "$OUT/${method}"_fold{1,2,3}"_seed$seed/predictions.npz"
    done
done
