# Sourced by the shell tools: leaves in $PYTHON an interpreter that has what they need.
# An active virtual or conda environment is used, else ./.venv is made with $BASE_PYTHON (python3).
# What was installed is remembered in the environment, so that a second run needs no network.
#   EXTRAS="stack tests" source tools/setup_env.sh
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

if [ -n "${VIRTUAL_ENV:-}" ]; then
    PYTHON="$VIRTUAL_ENV/bin/python"
elif [ -n "${CONDA_PREFIX:-}" ]; then
    PYTHON="$CONDA_PREFIX/bin/python"
else
    PYTHON="$ROOT/.venv/bin/python"
    if [ ! -x "$PYTHON" ]; then
        echo "Making the environment $ROOT/.venv"
        "${BASE_PYTHON:-python3}" -m venv "$ROOT/.venv"
    fi
fi
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10) and
    "Python >= 3.10 is needed, %s is %s. Remedy: set BASE_PYTHON or activate another environment."
    % (sys.executable, sys.version.split()[0]))'

for extra in ${EXTRAS:-stack}; do
    wanted="$ROOT $(cat "$ROOT/setup.py" "$ROOT/requirements/runtime.txt" \
        "$ROOT/requirements/$extra.txt" | cksum)"
    stamp="$("$PYTHON" -c 'import sys; print(sys.prefix)')/.fmae_iat_plugin-$extra"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "Installing the extra '$extra' (several minutes the first time)"
        "$PYTHON" -m pip install --progress-bar on -e "$ROOT[$extra]"
        echo "$wanted" >"$stamp"
    fi
done
