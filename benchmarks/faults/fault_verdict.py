"""Judges a run: did the honest finish, rightly, within their memory, and did the faults happen?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fault_plan import Plan
from fault_trial import Trial

from guanyu_mpi.assembly import Assembly
from guanyu_mpi.checkpoint import read
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.config import Config, load_config
from guanyu_mpi.done import read_done
from guanyu_mpi.errors import GuanYuError
from guanyu_mpi.faults.kinds import KINDS
from guanyu_mpi.journal import observer_log, rank_log
from guanyu_mpi.metrics import Event, read_events
from guanyu_mpi.models.objective import Evaluation
from guanyu_mpi.preflight import memory
from guanyu_mpi.run_dir import config_path

Fault = dict[str, object]

MIB = 2**20

# A point of accuracy is one of a hundred; a point of error is one of a hundred of the initial one.
POINT = 0.01
# What MPI and Python hold of a little more or less from one fault-free run to the next.
MEMORY_NOISE_BYTES = 4 * MIB

# What receivers count of a kind's frames, if they do: these are bad whatever the run.
BAD_FRAMES = {
    "flood-small": {"size"},
    "flood-large": {"magic"},
    "oversize": {"size"},
    "undersize": {"size"},
    "wrong-kind": {"kind"},
    "garbage": {"size", "magic"},
}


@dataclass(slots=True)
class Ended:
    """How a run ended: its error or accuracy, and each honest rank's peak of memory.

    Also which of the planned faults were due before that.
    """

    wrong: list[str] = field(default_factory=list)
    due: list[Fault] = field(default_factory=list)
    loss: float | None = None
    initial_loss: float | None = None
    accuracy: float | None = None
    peak_mib: dict[str, float] = field(default_factory=dict)
    # Of honest servers whose valid file of the last step is far from the others'.
    strays: dict[str, Evaluation] = field(default_factory=dict)


def ended(plan: Plan, trial: Trial) -> Ended:
    """What can be said of a run alone; only of what it has left where it hung or failed."""
    config = load_config(config_path(trial.run_dir))
    honest = [node for node in config.nodes if str(node) not in plan.hit]
    found = Ended()
    found.wrong += _exit_faults(trial)
    found.wrong += _finish_faults(config, trial, honest)
    found.wrong += _checkpoint_faults(config, trial, honest, found.strays)
    found.wrong += [f"left over: {command[:120]}" for command in trial.left_over]
    found.due = _due(plan, config, trial)
    found.wrong += _injection_faults(plan, config, trial, honest, found.due)
    observed = read_events(observer_log(trial.run_dir))
    if observed:
        found.initial_loss = _number(observed[0], "loss")
        found.loss, found.accuracy = (
            _number(observed[-1], "loss"),
            _number(observed[-1], "accuracy"),
        )
    peaks = trial.peak_bytes
    found.peak_mib = {str(node): peaks.get(config.nodes.rank(node), 0) / MIB for node in honest}
    return found


def against(found: Ended, fault_free: Ended, config: Config) -> list[str]:
    """What is wrong with a run beside one in which nothing happened."""
    return [*_error_faults(found, fault_free), *_memory_faults(found, fault_free, config)]


def worst(runs: Iterable[Ended]) -> Ended:
    """The run of the lowest accuracy, or else of the largest error."""
    return min(runs, key=lambda one: (one.accuracy or 0.0, -(one.loss or 0.0)))


def growth_mib(found: Ended, fault_free: Ended) -> float:
    """By how much the peak of an honest rank is above that of any of its role without faults."""
    return max(
        (peak - _role_peak(fault_free, node) for node, peak in found.peak_mib.items()), default=0.0
    )


def _exit_faults(trial: Trial) -> Iterator[str]:
    if trial.status is None:
        yield f"hang: not ended after {trial.wall_s:.0f} s"
    elif trial.status != 0:
        yield f"exit status {trial.status}: {trial.output.strip()[-300:]}"


def _finish_faults(config: Config, trial: Trial, honest: list[Node]) -> Iterator[str]:
    done = {record.node: record for record in read_done(trial.run_dir, config.nodes)}
    for node in honest:
        record = done.get(str(node))
        if record is None:
            yield f"{node} said nothing at the end"
        elif not record.finished or record.step != config.run.steps:
            yield f"{node} {record.outcome} at step {record.step}: {record.reason}"


def _checkpoint_faults(
    config: Config, trial: Trial, honest: list[Node], strays: dict[str, Evaluation]
) -> Iterator[str]:
    assembly = Assembly(config, trial.run_dir)
    try:
        survey = assembly.saves.survey()
    except GuanYuError as error:
        yield f"checkpoints: {error}"
        return
    if survey.plan.step != config.run.steps:
        yield f"a restart would begin at step {survey.plan.step}: {survey.plan.why}"
    servers = {node.index for node in honest if node.role is Role.SERVER}
    for finding in survey.findings:
        if finding.server not in servers or not finding.reason:
            continue
        who = f"checkpoint of server {finding.server}"
        if finding.header is None:
            yield f"{who}: {finding.reason}"
        else:
            # It may be honest where the others agree to the last bit: its error tells.
            strays[who] = assembly.objective.evaluate(read(finding.path).params)
    last = {one.server for one in survey.findings if one.step == config.run.steps}
    for server in sorted(servers - last):
        yield f"server {server} has no checkpoint of the last step"


def _injection_faults(
    plan: Plan, config: Config, trial: Trial, honest: list[Node], due: list[Fault]
) -> Iterator[str]:
    """Every fault that was due happened, once, and what it sent was seen to be bad."""
    rejected = _rejected(config.nodes, trial, honest)
    unheard = {fault["node"] for fault in plan.faults if KINDS[str(fault["kind"])].ends}
    for fault in due:
        kind, step = str(fault["kind"]), fault["step"]
        node = _named(fault)
        events = read_events(rank_log(trial.run_dir, config.nodes.rank(node)))
        times = [e for e in events if e.get("event") == "fault" and e.get("kind") == kind]
        if [event["step"] for event in times] != [step]:
            yield f"{node} was struck by {kind} {len(times)} times, at step {step} once was due"
        # What a process had not sent when it ended, nobody can count.
        expected = BAD_FRAMES.get(kind) if fault["node"] not in unheard else None
        if expected and not expected & {reason for who, reason in rejected if who == str(node)}:
            yield f"nobody has counted a bad frame of {node}, which sent some: {kind}"
        if kind == "flood-large":
            # What lies behind so many bytes may not have been reached when the run ends.
            unheard.add(fault["node"])


def _due(plan: Plan, config: Config, trial: Trial) -> list[Fault]:
    """The faults for which there was time: who is late may be far behind when the run ends."""
    due: list[Fault] = []
    late = set()
    for fault in plan.faults:
        node = _named(fault)
        events = read_events(rank_log(trial.run_dir, config.nodes.rank(node)))
        told = any(event.get("kind") == fault["kind"] for event in events)
        halted = any(event.get("event") == "halted" for event in events)
        if told or halted or node not in late:
            due.append(fault)
        if fault["kind"] in ("delay", "slow"):
            late.add(node)
    return due


def _rejected(cluster: Cluster, trial: Trial, honest: list[Node]) -> set[tuple[str, str]]:
    """(sender, reason) of the bad frames that honest nodes have counted."""
    counted = set()
    for node in honest:
        for event in read_events(rank_log(trial.run_dir, cluster.rank(node))):
            if event.get("event") == "rejected":
                counted.add((str(event["sender"]), str(event["fault"])))
    return counted


def _named(fault: Fault) -> Node:
    """Whom a fault strikes."""
    role, _, index = str(fault["node"]).partition("-")
    return Node(Role(role), int(index))


def _error_faults(found: Ended, fault_free: Ended) -> Iterator[str]:
    yield from _too_wrong("", found.loss, found.accuracy, fault_free)
    for who, stray in found.strays.items():
        yield from _too_wrong(f"{who}: ", stray.loss, stray.accuracy, fault_free)


def _too_wrong(
    who: str, loss: float | None, accuracy: float | None, fault_free: Ended
) -> Iterator[str]:
    if fault_free.accuracy is not None:
        if accuracy is None or accuracy < fault_free.accuracy - POINT:
            yield f"{who}accuracy {accuracy}, without faults {fault_free.accuracy:.3f}"
    elif fault_free.loss is not None and fault_free.initial_loss is not None:
        allowed = fault_free.loss + POINT * fault_free.initial_loss
        if loss is None or loss > allowed:
            yield f"{who}error {loss}, without faults {fault_free.loss:.4g}"


def _memory_faults(found: Ended, fault_free: Ended, config: Config) -> Iterator[str]:
    held = memory(config.nodes, Assembly(config, None).spec.dimension)
    bound = {
        "server": held.server_bytes,
        "worker": held.worker_bytes,
        "observer": held.observer_bytes,
    }
    for node, peak in found.peak_mib.items():
        more = bound[node.split("-")[0]] + MEMORY_NOISE_BYTES
        before = _role_peak(fault_free, node)
        if peak > before + more / MIB:
            yield f"{node} held {peak:.0f} MiB, without faults {before:.0f}, + {more / MIB:.0f}"


def _role_peak(ended_run: Ended, node: str) -> float:
    role = node.split("-", maxsplit=1)[0]
    return max(
        (peak for other, peak in ended_run.peak_mib.items() if other.startswith(role)), default=0.0
    )


def _number(event: Event, key: str) -> float | None:
    value = event.get(key)
    return float(value) if isinstance(value, int | float) else None
