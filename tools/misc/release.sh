#!/usr/bin/env bash
# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
# Builds sdist and wheel of the committed tree into dist/, checks them, and uses the wheel from an
# empty environment: the command, the default model, and that no PyTorch comes with it.
#   bash tools/misc/release.sh
# It uploads nothing; its last line says how.
set -euo pipefail
if [ "${1:-}" = --help ]; then
    sed -n '3,6s/^# \{0,1\}//p' "$0"
    exit
fi
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PYTHON="${PYTHON:-python3}"
cd "$ROOT"
VERSION="$(sed -n "s/^__version__ = '\(.*\)'/\1/p" fmae_iat_plugin/version.py)"
grep -q "^version: $VERSION$" CITATION.cff || { echo "error: CITATION.cff is not of $VERSION" >&2; exit 1; }
grep -q "^## $VERSION" CHANGELOG.md || { echo "error: CHANGELOG.md has no $VERSION" >&2; exit 1; }
WORK="$(mktemp -d)"
trap 'rm -rf "$WORK"' EXIT

echo "1. Build $VERSION of the committed tree"
mkdir -p "$WORK/source" "$ROOT/dist"
git archive HEAD | tar x -C "$WORK/source"  # neither files of an earlier build nor untracked ones
"$PYTHON" -m venv "$WORK/build"
"$WORK/build/bin/pip" install -q build twine
"$WORK/build/bin/python" -m build -o "$WORK/dist" "$WORK/source" >"$WORK/build.log" || { cat "$WORK/build.log"; exit 1; }

echo "2. Check"
"$WORK/build/bin/twine" check --strict "$WORK"/dist/*

echo "3. Use the wheel from an empty environment and folder"
"$PYTHON" -m venv "$WORK/use"
WHEEL="$(ls "$WORK"/dist/*.whl)"
"$WORK/use/bin/pip" install -q "$WHEEL[face,export]"
mkdir "$WORK/elsewhere"
cd "$WORK/elsewhere"
[ "$("$WORK/use/bin/fmae-iat" --version)" = "$VERSION" ]
"$WORK/use/bin/fmae-iat" train --help >/dev/null
"$WORK/use/bin/python" - <<'CODE'
from importlib.util import find_spec
import cv2
from fmae_iat_plugin.synthfacs.renderer import render
assert find_spec('torch') is None, 'PyTorch came with the package'
cv2.imwrite('photo.png', render(3, {12: 3.}, size=256, framing='portrait')[0][..., ::-1])
CODE
"$WORK/use/bin/fmae-iat" predict photo.png --out-dir out
[ "$(wc -l <out/photo/photo.csv 2>/dev/null || wc -l <out/photo.csv)" = 2 ]

mv "$WORK"/dist/* "$ROOT/dist/"
echo "complete: $(cd "$ROOT" && ls dist/*"$VERSION"*)"
echo "Publish with: twine upload dist/*$VERSION*"
