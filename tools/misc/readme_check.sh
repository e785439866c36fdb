#!/usr/bin/env bash
# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
# Runs what README.md says about installation and first use, as a stranger does: the committed tree
# in an empty folder, a new environment for each installation, small rendered data. The part mim is
# what docs/en/index.md says about OpenMMLab's mim.
# Prints the table that docs/en/compatibility.md has. Exit code: 1 if something was not as promised.
#   bash tools/misc/readme_check.sh            everything: about 20 minutes and 12 GB of disk, for a time
#   bash tools/misc/readme_check.sh predict    one part: predict, train, commands or mim
# BASE_PYTHON names another interpreter than python3.
set -uo pipefail
if [ "${1:-}" = --help ]; then
    sed -n '3,10s/^# \{0,1\}//p' "$0"
    exit
fi
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
export BASE_PYTHON="${BASE_PYTHON:-python3}"
unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH
PLAIN="$PATH"
WORK="$(mktemp -d "${TMPDIR:-/tmp}/readme.XXXXXX")"
trap 'rm -rf "$WORK"' EXIT
failed=0

tree() {  # a folder with the committed tree
    mkdir "$WORK/$1"
    git -C "$ROOT" archive HEAD | tar x -C "$WORK/$1"
    cd "$WORK/$1" || exit 1
}

environment() {  # a new, empty one is active
    "$BASE_PYTHON" -m venv "$WORK/$1/environment"
    export PATH="$WORK/$1/environment/bin:$PLAIN"
}

row() {  # words, command: passed if it succeeds
    local result=passed
    if ! bash -o pipefail -c "$2" >"$WORK/log" 2>&1; then
        result=FAILED
        failed=1
        tail -n 30 "$WORK/log" >&2
    fi
    echo "| $1 | $result | $(date -u +%Y-%m-%d) |"
}

CONFIG=configs/custom/own_table_tiny_48px.py
SHORT="--cfg-options train_cfg.max_epochs=2 param_scheduler.warmup_epochs=1"
TABLE="python tools/dataset_converters/synthfacs.py table data/own/faces --subjects 9 --frames 8 --size 64 --aus 1 2 4 6 12 --workers 2 && mv data/own/faces/annotations.csv data/own/annotation.csv && python -c \"import pandas as pd; t = pd.read_csv('data/own/annotation.csv'); aus = [name for name in t if name[:2] == 'AU']; t[aus] = (t[aus] >= 2).astype(int); t.to_csv('data/own/annotation.csv', index=False)\""

echo "| what the README says | result | run on |"
echo "|---|---|---|"

if [[ predict == *"${1:-}"* ]]; then
    tree predict
    environment predict
    cp docs/images/synthfacs_identities.jpg PHOTO.jpg
    row "\`pip install -e '.[face,export]'\` in an empty environment" "pip install -e '.[face,export]'"
    row 'it brings no PyTorch' "python -c \"import importlib.util as u; assert u.find_spec('torch') is None\""
    row '`python tools/predict.py PHOTO.jpg` prints action units, and writes `predictions/PHOTO/PHOTO.csv`' \
        "python tools/predict.py PHOTO.jpg | tee said && grep -q AU said && [ \$(grep -c '^1,' predictions/PHOTO/PHOTO.csv) -ge 12 ]"
    python - <<'CODE'
import cv2
face = cv2.resize(cv2.imread('docs/images/synthfacs_identities.jpg'), (640, 480))
video = cv2.VideoWriter('VIDEO.mp4', cv2.VideoWriter_fourcc(*'mp4v'), 25, (640, 480))
for _ in range(5):
    video.write(face)
video.release()
CODE
    mkdir photos && cp PHOTO.jpg photos/
    row 'a video and a folder, `--format openface,json`' \
        "python tools/predict.py VIDEO.mp4 photos/ --out-dir out --format openface,json && [ \$(wc -l <out/VIDEO.csv) -ge 60 ] && [ \$(wc -l <out/PHOTO.csv) -ge 13 ] && [ -s out/predictions.jsonl ]"
    row '`pip install -e '"'.[analysis]'"'`, then `--vis`; still no PyTorch' \
        "pip install -e '.[analysis]' && python tools/predict.py PHOTO.jpg --vis --out-dir vis && [ -s vis/PHOTO_annotated.jpg ] && python -c \"import importlib.util as u; assert u.find_spec('torch') is None\""
fi

if [[ train == *"${1:-}"* ]]; then
    tree train
    environment train
    row "\`pip install -e '.[stack]'\` in an empty environment" "pip install -e '.[stack]'"
    row 'a table as the README shows it' "$TABLE"
    row '`python tools/train.py`' "python tools/train.py $CONFIG $SHORT"
    row '`bash tools/dist_train.sh CONFIG 2`' "bash tools/dist_train.sh $CONFIG 2 --work-dir work_dirs/two $SHORT"
    row '`python tools/test.py CONFIG CHECKPOINT`' "python tools/test.py $CONFIG work_dirs/own_table_tiny_48px/epoch_2.pth | tee said && grep -q f1/mean said"
    row "\`pip install -e '.[stack,zoo]'\`, then \`model_zoo.py list\`" "pip install -e '.[stack,zoo]' && python tools/model_zoo.py list bp4d >said && grep -q fmae-iat_vit-large_bp4d_fold1 said"
    row "\`pip install -e '.[stack,face]'\`" "pip install -e '.[stack,face]'"
    row 'converter, crop and check of a release' "python tools/dataset_converters/synthfacs.py bp4d RELEASE --subjects 4 --frames 6 --workers 2 &&
        python tools/dataset_converters/bp4d.py RELEASE data/bp4d --workers 2 && python tools/crop_faces.py data/bp4d data/bp4d --workers 2 &&
        { python tools/misc/verify_dataset.py data/bp4d --protocol bp4d || [ \$? = 1 ]; }"
fi

if [[ commands == *"${1:-}"* ]]; then
    tree commands
    export PATH="$PLAIN"
    row '`bash tools/run_tests.sh` makes its own `.venv` (here with one file of tests)' \
        "bash tools/run_tests.sh tests/test_errors.py && [ -x .venv/bin/python ]"
    offline='env PIP_NO_INDEX=1'
    ! unshare -rn true 2>/dev/null || offline='unshare -rn'
    row 'later runs need no network' "$offline bash tools/run_tests.sh tests/test_errors.py"
    row '`bash tools/quickstart.sh` finds what was installed' "$offline bash tools/quickstart.sh --help"
fi

if [[ mim == *"${1:-}"* ]]; then
    tree mim
    environment mim
    row "\`pip install -e '.[stack,zoo]' onedl-mim\`" "pip install -e '.[stack,zoo]' onedl-mim"
    row 'a table as the README shows it' "$TABLE"
    mkdir "$WORK/elsewhere" && ln -s "$WORK/mim/data" "$WORK/elsewhere/"
    cd "$WORK/elsewhere" || exit 1  # outside of the checkout, where mim would find the config twice
    row '`mim train fmae_iat_plugin CONFIG` from another folder' "mim train fmae_iat_plugin $CONFIG --work-dir one $SHORT && [ -f one/epoch_2.pth ]"
    row '`mim train fmae_iat_plugin CONFIG --launcher pytorch --gpus 2`' "mim train fmae_iat_plugin $CONFIG --launcher pytorch --gpus 2 --work-dir two $SHORT && [ -f two/epoch_2.pth ]"
    row '`mim test fmae_iat_plugin CONFIG --checkpoint CHECKPOINT`' "mim test fmae_iat_plugin $CONFIG --checkpoint one/epoch_2.pth | tee said && grep -q f1/mean said"
    cd "$WORK/mim" || exit 1
    row '`mim download`, from a server that plays Google Drive' "pip install pytest hypothesis && python -m pytest -q tests/test_mim.py"
    row 'an installed wheel instead' "pip uninstall -y fmae_iat_plugin && pip wheel --no-deps -w dist . && pip install --no-deps dist/*.whl"
    cd "$WORK/elsewhere" || exit 1
    row '`mim train` does not find its tools, as the page says' \
        "! mim train fmae_iat_plugin $CONFIG 2>said && grep -q \"can't open file .*site-packages/../tools/train.py\" said"
    row '`fmae-iat train CONFIG` and `fmae-iat test` do the same' "fmae-iat train $CONFIG --work-dir three $SHORT && fmae-iat test $CONFIG three/epoch_2.pth | tee said && grep -q f1/mean said"
fi
exit $failed
