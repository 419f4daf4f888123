"""The settings of a Slurm whose nodes are all on this machine."""

import getpass
import os
from collections.abc import Iterable
from pathlib import Path

# More than there are: nothing is bound to a core here.
CPUS_PER_NODE = 16
# Devices that every machine has stand for GPUs: Slurm counts them, and nobody opens them.
FAKE_GPUS = ("/dev/null", "/dev/zero")

# Waiting is short: for a requeued job (cred_expire), between TERM and KILL, for a silent node.
SETTINGS = """
ClusterName=one-machine
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/%n/spool
TmpFS={directory}/%n/tmp
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/%n/slurmd.pid
SlurmctldLogFile={directory}/log/slurmctld
SlurmdLogFile={directory}/log/slurmd-%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={directory}/log/ended-jobs
MpiDefault=none
GresTypes=gpu
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
JobRequeue=1
ReturnToService=2
KillWait=5
InactiveLimit=0
MinJobAge=3600
SlurmdTimeout=8
"""


def settings(directory: Path, nodes: Iterable[str], ports: list[int]) -> str:
    """slurm.conf; the first port is the controller's, the others are the nodes'."""
    host = os.uname().nodename.split(".")[0]
    lines = [
        f"NodeName={node} NodeAddr=127.0.0.1 NodeHostname={host} Port={port} RealMemory=1000 "
        f"CPUs={CPUS_PER_NODE} CoresPerSocket={CPUS_PER_NODE}{_gpus(node)} State=UNKNOWN"
        for node, port in zip(nodes, ports[1:], strict=True)
    ]
    lines.append("PartitionName=all Nodes=ALL Default=YES State=UP OverSubscribe=YES")
    for kind in ("cpu", "gpu"):
        members = ",".join(node for node in nodes if node.startswith(kind))
        lines.append(f"PartitionName={kind} Nodes={members} State=UP OverSubscribe=YES")
    head = SETTINGS.format(directory=directory, host=host, port=ports[0], user=getpass.getuser())
    return "\n".join([head, *lines, ""])


def gpu_settings(nodes: Iterable[str]) -> str:
    """gres.conf: what stands for GPUs on the nodes that have some."""
    return "".join(
        f"NodeName={node} Name=gpu File={device}\n"
        for node in nodes
        if node.startswith("gpu")
        for device in FAKE_GPUS
    )


def _gpus(node: str) -> str:
    return f" Gres=gpu:{len(FAKE_GPUS)}" if node.startswith("gpu") else ""
