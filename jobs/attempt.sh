#!/usr/bin/env bash
# One attempt at a job that may take several: jobs/attempt.sh COMMAND [ARGUMENT]...
#
# The batch script becomes this one. It passes Slurm's signals on to the command, and queues the job
# again where the command leaves with status 85, saved and not finished, or a node is lost, or a
# restart is refused. The same command then continues. MAX_RESTARTS bounds how often.
set -u
max=${MAX_RESTARTS:-20}
restarts=${SLURM_RESTART_COUNT:-0}
# SLURM_JOB_ID of an array's last element stands for the whole array.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
job=${job:-$SLURM_JOB_ID}
echo "job $job on $SLURM_JOB_NODELIST, restart $restarts, $(date '+%F %T')"

"$@" &
command=$!
stay=no
trap 'kill -USR1 "$command"' USR1
# The job is cancelled, preempted, or over its limit: whether it runs again is for Slurm to say.
trap 'stay=yes; kill -TERM "$command" 2>/dev/null' TERM
# A signal ends the waiting, not the command.
while kill -0 "$command" 2>/dev/null; do wait "$command"; done
wait "$command"
status=$?

# mpirun ends at once without a node that Slurm will not miss for minutes.
all_nodes_answer() {
    # srun asks one part of a heterogeneous job, by itself the first one.
    for ((part = 0; part < ${SLURM_HET_SIZE:-1}; part++)); do
        nodes=SLURM_JOB_NUM_NODES${SLURM_HET_SIZE:+_HET_GROUP_$part}
        timeout 60 srun ${SLURM_HET_SIZE:+"--het-group=$part"} --overlap --mpi=none \
            --nodes="${!nodes}" --ntasks="${!nodes}" --ntasks-per-node=1 true || return
    done
}
# Where srun starts nothing at all, its silence says nothing of other nodes.
this_node_answers() {
    timeout 60 srun --overlap --mpi=none --nodes=1 --ntasks=1 --nodelist="${SLURMD_NODENAME:-$(hostname)}" true
}
case $stay$status in
no85) why="saved" ;;
yes* | no0) exit "$status" ;;
# What was right in an earlier attempt is now wrong of a node: a file, a device, a former job.
no2) [ "$restarts" -gt 0 ] || exit "$status"; why="refused after $restarts restarts" ;;
*) if all_nodes_answer || ! this_node_answers; then exit "$status"; fi; why="a node is lost" ;;
esac
# It may have been cancelled while nodes were asked.
[ "$stay" = no ] || exit "$status"
if [ "$restarts" -ge "$max" ]; then
    echo "$why, and restarted $restarts times, as often as MAX_RESTARTS allows" >&2
    exit "$status"
fi
# The controller may be away for a moment.
for pause in 10 20 30 0; do
    # Queueing again ends this script, and what it waits for.
    if (trap '' TERM; scontrol requeue "$job"); then
        trap '' TERM
        sleep 60
        exit "$status"
    fi
    sleep "${REQUEUE_PAUSE:-$pause}"
    [ "$stay" = no ] || exit "$status"
done
echo "$why, and this job cannot be queued again: submit it once more, or see jobs/chain.sh" >&2
exit "$status"
