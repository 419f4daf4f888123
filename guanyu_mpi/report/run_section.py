"""What the page says of one run."""

import math
from collections.abc import Iterator

from guanyu_mpi.cluster import Role
from guanyu_mpi.config import Config
from guanyu_mpi.report.blocks import Fact, facts, folded, grid, listed, section, table
from guanyu_mpi.report.heat import ROWS_MAX, HeatMap, heat_figure
from guanyu_mpi.report.lines import figure
from guanyu_mpi.report.markup import Markup
from guanyu_mpi.report.numerals import duration, number, percent, whole
from guanyu_mpi.report.overlay import charts
from guanyu_mpi.report.run import Run
from guanyu_mpi.report.time_split import time_split
from guanyu_mpi.standing import Standing

APART = "share so far of a worker’s gradients rejected, of a server’s models far from the others"
RANKS_HEADER = (
    "rank",
    "node",
    "host",
    "in quorums",
    "rejected",
    "outlying",
    "non-finite",
    "malformed",
)


def run_section(run: Run) -> Markup:
    """A run: its figures, its charts, and its ranks."""
    drawn = [figure(chart) for chart in charts({"": [run.seen]}, run.time)]
    return section(
        run.name,
        about(run.config),
        facts(_facts(run)),
        _remarks(run),
        grid([*drawn, *_maps(run)]),
        time_split(run.standings),
        _ranks(run),
    )


def about(config: Config) -> str:
    """What is trained, by whom, with which rule, against whom."""
    cluster, rule = (
        config.nodes,
        " + ".join([*config.aggregation.pre, config.aggregation.gradients]),
    )
    data = f" on {config.data.name}" if config.data else ""
    who = [
        f"{cluster.size(role)} {role.value}{'' if cluster.size(role) == 1 else 's'} "
        f"({_declared(cluster.byzantine(role))}{_attack(config, role)})"
        for role in (Role.SERVER, Role.WORKER)
    ]
    return f"{config.model.name}{data}, rule {rule}; {who[0]}, {who[1]}; seed {config.run.seed}."


def _declared(byzantine: int) -> str:
    return f"f = {byzantine}"


def _attack(config: Config, role: Role) -> str:
    attack = config.attack.servers if role is Role.SERVER else config.attack.workers
    count = sum(node.role is role for node in config.attackers)
    return f", {count} attack by {attack.name}" if count else ""


def _facts(run: Run) -> Iterator[Fact]:
    last, looks = run.seen.looks[-1], run.seen.looks
    accuracies = [look.accuracy for look in looks if math.isfinite(look.accuracy)]
    if accuracies:
        yield "accuracy", number(last.accuracy), f"best {number(max(accuracies))}"
    yield "loss", number(last.loss), f"at first {number(looks[0].loss)}"
    yield "updates", whole(last.step), f"of {whole(run.config.run.steps)}"
    rate = (last.step - looks[0].step) / last.time_s if last.time_s > 0 else math.nan
    yield f"{run.time} time", duration(last.time_s), f"{number(rate)} updates/s"
    if run.config.nodes.servers > 1:
        yield "drift", number(last.drift), "between honest servers"
    if math.isfinite(last.margin):
        holds = "guarantee holds" if last.margin >= 1 else "below 1: not guaranteed"
        yield "resilience", number(last.margin), holds


def _remarks(run: Run) -> Markup | None:
    remarks = [f"Unfinished: {run.unfinished}."] if run.unfinished else []
    remarks += [f"Warning: {run.seen.warning}." if run.seen.warning else ""]
    times = len(run.seen.restarts)
    again = f"Continued {times} time{'s' if times > 1 else ''}; dotted lines show where."
    remarks += [again if times else ""]
    remarks += [f"Suspected: {suspicion}." for suspicion in run.suspicions]
    told = [remark for remark in remarks if remark]
    return listed(told) if told else None


def _maps(run: Run) -> Iterator[Markup]:
    for title, share_of, rows in (
        ("Quorum membership", "share of the quorums that a rank was in", run.present),
        ("Suspicion", APART, run.apart),
    ):
        if rows:
            # Where not all are drawn, these are.
            order = sorted(rows, key=lambda row: not row.marked) if len(rows) > ROWS_MAX else rows
            yield heat_figure(HeatMap(title, share_of, tuple(order), run.last_step))


def _ranks(run: Run) -> Markup | None:
    if not run.standings:
        return None
    return folded(
        "How each rank has fared", table(RANKS_HEADER, map(_rank, run.standings), numeric_from=3)
    )


def _rank(at: Standing) -> list[str]:
    return [
        str(at.rank),
        str(at.node),
        at.host,
        percent(at.attendance.present if at.attendance else None),
        percent(at.rejected),
        percent(at.strayed),
        str(at.non_finite),
        str(at.malformed),
    ]
