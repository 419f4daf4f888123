"""What is said at the end of a run, as lines for a person."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from guanyu_mpi.checkpoint import Finding, Plan, Survey
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.config import Config
from guanyu_mpi.done import Done
from guanyu_mpi.journal import observer_log
from guanyu_mpi.launch import Verdict
from guanyu_mpi.metrics import Event, read_events
from guanyu_mpi.simulation import Simulated
from guanyu_mpi.standing import Standing
from guanyu_mpi.suspicion import suspicions

# Server, its valid steps, a remark on one of its files.
Row: TypeAlias = tuple[str, str, str]

# As much of the launcher's output as shows why a job did not start.
LOG_LINES = 15


def describe(event: Event) -> str:
    """An observation in a few words."""
    words = []
    for key, form in (
        ("accuracy", "accuracy {:.3f}"),
        ("loss", "loss {:.3g}"),
        ("drift", "drift {:.1e}"),
        ("updates_per_s", "{:.1f} updates/s"),
    ):
        value = event.get(key)
        # A damaged log can hold whole numbers that no float can.
        if isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63):
            words.append(form.format(value))
    return ", ".join(words)


def launched(config: Config, run_dir: Path, verdict: Verdict) -> list[str]:
    """How an MPI job ended, and where what it left is."""
    cluster = config.nodes
    servers = [
        done
        for done in verdict.done
        if done.finished and cluster.node(done.rank).role is Role.SERVER
    ]
    lines = [
        f"finished: {len(servers)} of {cluster.servers} servers at step {config.run.steps}"
        if verdict.finished
        else _left(verdict, cluster)
        if verdict.left
        else f"not finished (launcher status {verdict.launcher_status})"
    ]
    lines += [f"  {remark}" for remark in verdict.remarks]
    lines += _ends(
        [done for done in verdict.done if not done.finished and not (verdict.left and done.left)]
    )
    silent = sorted(set(range(cluster.num_ranks)) - {done.rank for done in verdict.done})
    # The log says what the ranks themselves have not.
    if silent and not verdict.finished and not verdict.left:
        lines += [
            f"  log: {line}" for line in _tail(run_dir / "logs" / "mpirun.log", verdict.done)
        ]
    observations = read_events(observer_log(run_dir))
    if observations:
        last = observations[-1]
        lines.append(f"last observed: step {last.get('step')}, {describe(last)}")
    warned = [event["warning"] for event in observations if "warning" in event]
    lines += [f"warning: {warning}" for warning in warned[-1:]]
    if silent:
        lines.append("said nothing at the end: " + ", ".join(str(cluster.node(r)) for r in silent))
    if verdict.begun and not verdict.finished and not verdict.left:
        lines.append(f"the same command continues; `guanyu inspect {run_dir}` says from where")
    lines.append(f"run directory: {run_dir}")
    return [_printable(line) for line in lines]


def _left(verdict: Verdict, cluster: Cluster) -> str:
    """How a job ended that was told to, or knew that it had to."""
    if not verdict.left_at:
        return "left before the first step; the same command begins where this one did"
    there = [done for done in verdict.done if done.left and done.step == verdict.left_at]
    servers = sum(cluster.node(done.rank).role is Role.SERVER for done in there)
    return (
        f"left: saved at step {verdict.left_at} by {servers} of {cluster.servers} servers; "
        "the same command continues"
    )


def _ends(unfinished: Iterable[Done]) -> list[str]:
    """How ranks ended that did not finish, together where they say the same."""
    together: dict[str, list[str]] = defaultdict(list)
    for done in unfinished:
        together[f"{done.outcome} at step {done.step}: {done.reason}"].append(done.node)
    return [f"  {', '.join(nodes)}: {end}" for end, nodes in together.items()]


def simulated(config: Config, result: Simulated) -> list[str]:
    """How a simulated run ended."""
    lines = [
        f"{result.num_events} events in {result.virtual_s:.3f} s of virtual time, "
        f"{result.replaced.total()} messages replaced by newer ones",
        f"trace hash {result.trace_hash}",
    ]
    seen = result.observation
    if seen:
        event: Event = {"accuracy": seen.accuracy, "loss": seen.loss, "drift": seen.drift}
        lines.insert(0, f"last observed: step {seen.step}, {describe(event)}")
    for node in result.unfinished(config):
        halt = result.halts.get(node)
        why = f"{halt.outcome.value} at step {halt.step}: {halt.reason}" if halt else "left behind"
        lines.append(f"{node}: {why}")
    return lines


def surveyed(found: Survey) -> list[str]:
    """A table of the checkpoints by server, then where a restart begins and why."""
    rows: list[Row] = [("server", "valid", "remarks")] if found.findings else []
    servers = {finding.server for finding in found.findings}
    for server in sorted(servers.union(found.plan.own, found.plan.median)):
        rows += _rows(server, [one for one in found.findings if one.server == server])
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)] if rows else []
    lines = ["  ".join([*map(str.ljust, row[:2], widths), row[2]]).rstrip() for row in rows]
    return [_printable(line) for line in [*lines, *planned(found.plan)]]


def planned(plan: Plan) -> list[str]:
    """What a restart does, and which servers begin with their own file."""
    if plan.step is None:
        first, *others = plan.why.splitlines()
        return [f"a restart refuses to start: {first}", *(f"  {line}" for line in others)]
    lines = [f"a restart begins at step {plan.step}: {plan.why}"]
    if plan.median:
        lines.append(f"  with their own file: {_names(plan.own)}")
        lines.append(f"  with the median of the holders': {_names(plan.median)}")
    return lines


def _rows(server: int, findings: Sequence[Finding]) -> list[Row]:
    """A server's steps on a line, and what is wrong with its files, a line for each."""
    valid = ", ".join(str(one.step) for one in findings if one.header) or "none"
    wrong = [f"step {one.step} {one.reason}" for one in findings if one.reason] or [""]
    first = str(server), valid, wrong[0]
    return [first, *(("", "", reason) for reason in wrong[1:])]


def fared(found: Sequence[Standing], cluster: Cluster) -> list[str]:
    """How each rank has fared, and then whom an operator should look at; nothing before a run."""
    if not found:
        return []
    lines = [
        f"rank {at.rank} ({at.node}), node {at.host}: "
        f"in {_share(at.attendance.present if at.attendance else None)} of the quorums, "
        f"rejected {_share(at.rejected)}, outlying {_share(at.strayed)}, "
        f"non-finite {at.non_finite}, malformed {at.malformed}"
        for at in found
    ]
    suspected = [f"suspected: {suspicion}" for suspicion in suspicions(found, cluster)]
    return lines + (suspected or ["suspected: nobody"])


def _names(servers: Sequence[int]) -> str:
    return ", ".join(f"server {server}" for server in servers) or "nobody"


def _printable(line: str) -> str:
    """Without what would move the cursor: a Byzantine rank writes its own log and done-file."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line
    )


def _share(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.0f} %"


def _tail(path: Path, known: Iterable[Done]) -> list[str]:
    """The last lines of the log that say more than the ranks themselves have said."""
    if not path.exists():
        return []
    told = {f"{done.node}: {done.outcome} at step {done.step}: {done.reason}" for done in known}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line not in told][-LOG_LINES:]
