#!/usr/bin/env bash
# Make .venv with this project and the named extras in it: jobs/environment.sh EXTRA[,EXTRA]...
# Does nothing where that has been done. PYTHON chooses the interpreter.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
extras=$1
python=${PYTHON:-python3}
mark="$here/.venv/.installed-$extras"
# What an installation is made from; the compiled kernels are built from sources of the package.
kernels=guanyu_mpi/aggregation/kernels
sources=(setup.cfg setup.py constraints.txt $kernels/network.py $kernels/native)
if [ -e "$mark" ] && [ -z "$(cd "$here" && find "${sources[@]}" -type f -newer "$mark" \
    ! -name '*.so' ! -name '*.pyc')" ]; then
    exit 0
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "guanyu_mpi needs Python >= 3.11; $python is $("$python" --version): set PYTHON" >&2
    exit 2
}
echo "installing guanyu_mpi into $here/.venv" >&2
[ -x "$here/.venv/bin/python" ] || "$python" -m venv "$here/.venv"
"$here/.venv/bin/pip" install --quiet --disable-pip-version-check \
    --constraint "$here/constraints.txt" --editable "$here[$extras]"
touch "$mark"
