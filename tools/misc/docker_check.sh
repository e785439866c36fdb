#!/usr/bin/env bash
# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
# Runs the steps of docker/Dockerfile in order where there is no Docker engine: in an empty Debian
# without Python (debootstrap, chroot), as the CUDA images are, with the committed tree. Then the
# image's user predicts a picture with its entry point. Needs root; takes 10 GB for a time.
#   bash tools/misc/docker_check.sh             the release bookworm
#   bash tools/misc/docker_check.sh trixie      another one
#   EXTRAS=face,export,analysis bash tools/misc/docker_check.sh      as a --build-arg; 2 GB
# What pip and apt must know of the network is taken from this machine: variables PIP_* and *_proxy,
# resolv.conf, certificates.
set -euo pipefail
if [ "${1:-}" = --help ]; then
    sed -n '3,10s/^# \{0,1\}//p' "$0"
    exit
fi
REPO="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
WORK="$(mktemp -d "${TMPDIR:-/tmp}/docker.XXXXXX")"
ROOT="$WORK/root"
trap 'for part in dev proc; do umount -l "$ROOT/$part" 2>/dev/null || true; done; rm -rf --one-file-system "$WORK"' EXIT

debootstrap --variant=minbase "${1:-bookworm}" "$ROOT" >"$WORK/debootstrap.log" || { tail "$WORK/debootstrap.log"; exit 1; }
if chroot "$ROOT" bash -c 'command -v python3'; then
    echo "error: this Debian has a Python" >&2
    exit 1
fi
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev" && mount --make-rslave "$ROOT/dev"
cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
mkdir "$WORK/tree"
if [ -n "${PIP_CERT:-}" ]; then
    cp -L "$PIP_CERT" "$ROOT/etc/host-certificates.crt"
    export PIP_CERT=/etc/host-certificates.crt
fi
git -C "$REPO" archive HEAD | tar x -C "$WORK/tree"

python3 - "$REPO/docker/Dockerfile" "$ROOT" "$WORK/tree" <<'CODE'
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

dockerfile, root, tree = map(Path, sys.argv[1:])
text = re.sub(r'^#.*\n', '', dockerfile.read_text(), flags=re.MULTILINE).replace('\\\n', ' ')
env = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root'}
network = {name: value for name, value in os.environ.items()
           if name.startswith('PIP_') or name.lower().endswith('_proxy')}
args, shell, user, folder, entry = {}, ['/bin/sh', '-c'], [], '/', []


def run(command, **options):
    inside = ['chroot', *user, str(root), *command]
    return subprocess.run(inside, env={**network, **args, **env}, check=True, **options)


for line in filter(None, map(str.strip, text.splitlines())):
    word, rest = line.split(None, 1)
    began = time.time()
    if word == 'ARG':
        name, value = rest.split('=', 1)
        args[name] = os.environ.get(name, value)
    elif word == 'ENV':
        name, value = rest.split('=', 1)
        env[name] = re.sub(r'\$(\w+)', lambda found: env[found[1]], value)
    elif word == 'SHELL':
        shell = json.loads(rest)
    elif word == 'COPY':
        shutil.copytree(tree, root / rest.split()[1].lstrip('/'), dirs_exist_ok=True)
    elif word == 'RUN':
        run([*shell, rest], stdout=subprocess.DEVNULL)
    elif word == 'USER':
        user = [f'--userspec={rest}:{rest}']
        env['HOME'] = '/tmp'
    elif word == 'WORKDIR':
        folder = root / rest.lstrip('/')
        folder.mkdir(exist_ok=True)
    elif word == 'ENTRYPOINT':
        entry = json.loads(rest)
    elif word not in ('FROM', 'CMD'):
        sys.exit(f'error: {dockerfile}: {word} is unknown to this check')
    print(f'{time.time() - began:6.0f} s  {line[:100]}', flush=True)

shutil.copy(tree / 'docs/images/synthfacs_identities.jpg', folder / 'PHOTO.jpg')
os.chown(folder, 10001, 10001)  # as a mounted folder of the user
at = ['/bin/bash', '-c', 'cd "$0" && exec "$@"', f'/{folder.relative_to(root)}', *entry]
run([*at, '--version'])
run([*at, 'train', '--help'], stdout=subprocess.DEVNULL)
run([*at, 'predict', 'PHOTO.jpg', '--vis', '--out-dir', 'out'], stdout=subprocess.DEVNULL)
rows = (folder / 'out/PHOTO.csv').read_text().splitlines()
print(f'{len(rows) - 1} faces in out/PHOTO.csv, written by the user '
      f'{(folder / "out/PHOTO.csv").stat().st_uid}')
run(['python', '-c', "import sys, importlib.util as u; print('Python', sys.version.split()[0], "
     "'with PyTorch' if u.find_spec('torch') else 'without PyTorch')"])
CODE
echo "complete: every step of docker/Dockerfile ran, in $(cat "$ROOT/etc/debian_version")"
