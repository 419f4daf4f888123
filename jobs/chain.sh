#!/usr/bin/env bash
# For sites where a job may not queue itself again: jobs/chain.sh N [sbatch options] JOB ARGUMENT...
#
#     jobs/chain.sh 5 --time=12:00:00 jobs/train.sbatch configs/cifar10.toml
#
# queues N jobs at once, each to continue what the one before has saved. Once one of them has
# finished the run, Slurm takes those behind it out of the queue.
set -euo pipefail
count=${1:?usage: jobs/chain.sh N [sbatch options] JOB ARGUMENT...}
shift
# They do not queue themselves again.
export MAX_RESTARTS=0
jobs=
for ((link = 0; link < count; link++)); do
    # Every earlier one has ended, and none has finished the run.
    after=(${jobs:+"--dependency=afternotok$jobs" --kill-on-invalid-dep=yes})
    jobs=$jobs:$(sbatch --parsable --no-requeue "${after[@]}" "$@")
done
echo "queued: ${jobs//:/ }"
