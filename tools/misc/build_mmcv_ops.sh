#!/usr/bin/env bash
# Installs mmdet with mmcv's compiled ops, which no wheel carries: they are built from source once
# (about 25 minutes on two cores) and kept in a cache outside the checkout, one folder a torch.
#   bash tools/misc/build_mmcv_ops.sh
# MMCV_OPS_CACHE names another cache (default: ~/.cache/fmae_iat_plugin), MAX_JOBS limits the compilers.
set -euo pipefail
EXTRAS="stack mmdet"
source "$(dirname "${BASH_SOURCE[0]}")/../setup_env.sh"

MMCV="$(grep '^onedl-mmcv==' "$ROOT/requirements/stack.txt")"
BUILD="$("$PYTHON" -c 'import platform, sys, torch
print(f"torch-{torch.__version__}-cp{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}")')"
CACHE="${MMCV_OPS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fmae_iat_plugin}/$BUILD/${MMCV#*==}"

if ! ls "$CACHE"/onedl_mmcv-*.whl >/dev/null 2>&1; then
    echo "Building the ops of $MMCV into $CACHE (about 25 minutes on two cores)"
    "$PYTHON" -m pip install --upgrade setuptools wheel ninja psutil
    mkdir -p "$(dirname "$CACHE")"
    UNFINISHED="$(mktemp -d "$CACHE.XXXXXX")"  # a killed build leaves nothing under the final name
    trap 'rm -rf "$UNFINISHED"' EXIT
    # pip's own cache cannot tell a build with ops from one without, nor one torch from another
    MMCV_WITH_OPS=1 "$PYTHON" -m pip wheel --no-cache-dir --no-deps --no-build-isolation \
        --no-binary onedl-mmcv -w "$UNFINISHED" "$MMCV"
    mv -T "$UNFINISHED" "$CACHE"
fi
if ! "$PYTHON" -c 'import mmcv.ops' 2>/dev/null; then
    "$PYTHON" -m pip install --force-reinstall --no-deps "$CACHE"/onedl_mmcv-*.whl
fi
"$PYTHON" -c 'from mmcv.ops import nms; import mmdet; print("mmdet", mmdet.__version__, "with compiled ops")'
