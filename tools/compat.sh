#!/usr/bin/env bash
# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
# Runs models, heads, metric, a short training and a resume with each stack that is supported, and
# writes the table of docs/en/compatibility.md. Each row is an environment of its own, which is made
# (by uv where it is installed, else by venv and pip) and removed again.
#   bash tools/compat.sh              every row: about 10 GB of downloads, once, with uv's cache
#   bash tools/compat.sh onedl-3.11   the rows whose name contains this
# A Python that is not here (python3.10 ... on the PATH, or below $PYENV_ROOT/versions) leaves its
# rows out, and they are named. Exit code: 1 if a row was not as expected.
set -euo pipefail
if [ "${1:-}" = --help ]; then
    sed -n '3,10s/^# \{0,1\}//p' "$0"
    exit
fi
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
PAGE="${COMPAT_PAGE:-$ROOT/docs/en/compatibility.md}"
WORK="$(mktemp -d "${TMPDIR:-/tmp}/compat.XXXXXX")"
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"

# name; Python; expected exit code of the check (0 passes, 3 is refused in words); packages
ORIGINAL="torch==2.10.0 torchvision==0.25.0 mmengine==0.10.7 mmcv-lite==2.2.0 mmpretrain==1.2.0 timm==1.0.31 numpy==2.2.6"
NEWEST="torch torchvision onedl-mmengine onedl-mmcv onedl-mmpretrain timm numpy opencv-python<5 setuptools"
ROWS="onedl-3.10; 3.10; 0; -r $ROOT/requirements/stack.txt setuptools>=82
onedl-3.11; 3.11; 0; -r $ROOT/requirements/stack.txt setuptools>=82
onedl-3.12; 3.12; 0; -r $ROOT/requirements/stack.txt setuptools>=82
onedl-newest-3.12; 3.12; 0; $NEWEST
onedl-newest-3.13; 3.13; 0; $NEWEST
original-3.10; 3.10; 0; $ORIGINAL setuptools<82
original-3.11; 3.11; 0; $ORIGINAL setuptools<82
original-3.12; 3.12; 0; $ORIGINAL setuptools<82
original-newest-torch-3.12; 3.12; 0; torch torchvision mmengine==0.10.7 mmcv-lite==2.2.0 mmpretrain==1.2.0 timm numpy opencv-python<5 setuptools<82
original-setuptools-82-3.11; 3.11; 3; $ORIGINAL setuptools>=82"

python_of() {  # an interpreter of this version, or nothing
    command -v "python$1" 2>/dev/null && "python$1" -c '' 2>/dev/null && return
    { ls "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python 2>/dev/null || true; } | tail -n 1
}

make_environment() {  # python, packages ...
    local python="$1"
    shift
    if command -v uv >/dev/null; then
        uv venv -q --clear --python "$python" "$WORK/env"
        VIRTUAL_ENV="$WORK/env" uv pip install -q -r "$ROOT/requirements/runtime.txt" "$@"
    else
        rm -rf "$WORK/env"
        "$python" -m venv "$WORK/env"
        "$WORK/env/bin/python" -m pip install -q -r "$ROOT/requirements/runtime.txt" "$@"
    fi
}

write_row() {  # into the page: in the place of the row of this name, else behind the last one
    python3 - "$PAGE" "$1" <<'CODE'
import sys
from pathlib import Path
page, row = Path(sys.argv[1]), sys.argv[2]
lines = page.read_text(encoding='utf-8').splitlines()
name = row.split('|')[1]
rows = [k for k, line in enumerate(lines) if line.startswith('|') and line.count('|') == row.count('|')]
same = [k for k in rows if lines[k].split('|')[1] == name]
if same:
    lines[same[0]] = row
else:
    lines.insert(rows[-1] + 1, row)
page.write_text('\n'.join(lines) + '\n', encoding='utf-8')
CODE
}

failed=0
echo "| name | packages | models | heads | metric | training | resume | run on |"
while IFS=';' read -r name version expected packages; do
    [[ "$name" == *"${1:-}"* ]] || continue
    python="$(python_of "${version# }" | tail -n 1)"
    if [ -z "$python" ]; then
        echo "| $name | not run: no Python ${version# } here |"
        continue
    fi
    # shellcheck disable=SC2086  # a list of packages
    if make_environment "$python" $packages >"$WORK/install.log" 2>&1; then
        code=0
        row="$(PYTHONPATH="$ROOT" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" \
            "$WORK/env/bin/python" "$ROOT/tools/misc/compat_check.py" "$name" 2>"$WORK/check.log" \
            | tail -n 1)" || code=$?
        [ -n "$row" ] || row="| $name | broken: $(tail -n 1 "$WORK/check.log") | - | - | - | - | - |"
    else
        code=1
        row="| $name | not installable: $(grep -v '^$' "$WORK/install.log" | tail -n 1) | - | - | - | - | - |"
    fi
    row="$row $(date -u +%Y-%m-%d) |"
    echo "$row"
    write_row "$row"
    if [ "$code" != "${expected# }" ]; then
        echo "  not as expected: exit code $code instead of ${expected# }" >&2
        failed=1
    fi
done <<<"$ROWS"
rm -rf "$WORK/env"
exit $failed
