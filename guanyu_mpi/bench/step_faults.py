"""Whether who was to be killed or slow was: of a run without it, a figure would mean nothing."""

from collections.abc import Sequence
from pathlib import Path

from guanyu_mpi.bench.step_report import Measured
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.faults.kinds import KINDS, Injection
from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import Event, read_events

# Below it nobody can be called slow. It is not the time that they are told to take: of cores that
# are shared, a rank that computes while the others wait has more.
SLOW_TIMES_MIN = 2.0


def not_struck(faults: Sequence[Injection], cluster: Cluster, run_dir: Path) -> list[str]:
    """The faults that have not happened, or after which a dead rank has gone on."""
    return [wrong for fault in faults if (wrong := _wrong(fault, cluster, run_dir))]


def not_slow(measured: Measured) -> list[str]:
    """That the slow were not, as measured; where that is not known, there is no figure."""
    times = measured.slow_times
    if times is None or times >= SLOW_TIMES_MIN:
        return []
    return [f"who was to be slow has taken {times:.2g} times as long as the others"]


def _wrong(fault: Injection, cluster: Cluster, run_dir: Path) -> str:
    """What is wrong with one of them, if anything."""
    events = read_events(rank_log(run_dir, cluster.rank(fault.node)))
    at = [at for at, event in enumerate(events) if _is_of(event, fault)]
    if not at:
        return f"{fault} has not happened"
    # Who is dead writes nothing.
    goes_on = KINDS[fault.kind].ends and at[-1] < len(events) - 1
    return f"{fault}, and it went on" if goes_on else ""


def _is_of(event: Event, fault: Injection) -> bool:
    return (event.get("event"), event.get("kind")) == ("fault", fault.kind)
