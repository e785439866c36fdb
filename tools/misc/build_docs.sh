#!/usr/bin/env bash
# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
# Builds the documentation as a site, and fails at any warning, such as a link that leads nowhere.
#   bash tools/misc/build_docs.sh          -> work_dirs/site/index.html; the search needs a server
#   bash tools/misc/build_docs.sh serve    shows it at http://127.0.0.1:8000 and follows changes
# Sets up its environment first (see setup_env.sh); neither PyTorch nor OpenMMLab is needed.
set -euo pipefail
EXTRAS="docs"
source "$(dirname "${BASH_SOURCE[0]}")/../setup_env.sh"
cd "$ROOT"
export NO_MKDOCS_2_WARNING=1
if [ "${1:-build}" = build ]; then
    "$PYTHON" -m mkdocs build --strict "${@:2}"
    echo "complete: $ROOT/work_dirs/site/index.html"
else
    "$PYTHON" -m mkdocs "$@"
fi
