"""The protocol itself where ranks share a host's cores: what a step takes, and what is replaced.

    python benchmarks/scaling/crowd.py benchmarks/scaling/scaling-2026-11-22.md     a minute

Costs are those of a report. Ranks take turns, all alike or so that a piece of work is held up now
and then, as where other programs run. How often that is the case is assumed: this is an experiment
on what newest wins does, and predicts nothing.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Reports are read as they are written, from what the benchmark of losses has measured.
sys.path.insert(0, str(Path(__file__).parents[1] / "losses"))

from calibration import MessageCosts
from crowd_rank import Rank, Tasks, core_of
from recorded import CORES, Recorded, costs_of, recorded
from turns import Does, Host, Life

from guanyu_mpi import seeds
from guanyu_mpi.bench.markdown import markdown
from guanyu_mpi.cluster import Cluster, Node, Role
from guanyu_mpi.costs import traffic
from guanyu_mpi.errors import InvariantError
from guanyu_mpi.transport.wire import frame_bytes

# Ranks of the jobs that are shown.
SHOWN = (25, 49)
SETTLING, COUNTED = 4, 16
# Assumed: what a look takes, how often a piece of work is held up, and for how long.
LOOK_S, HELD_UP, HELD_UP_S = 50e-6, 0.002, 0.1
# Virtual time after which a run that has not come to its end will not.
LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Crowded:
    """Seconds of a step, and messages of a step that were handled and that were replaced."""

    step_s: float
    handled: float
    replaced: float


def main() -> None:
    report = recorded(_arguments().report.read_text(encoding="utf-8"))
    costs = costs_of(report)
    rows = [
        _row(each, costs, held_up)
        for each in report
        if each.job.cluster.num_ranks in SHOWN
        for held_up in (0.0, HELD_UP)
    ]
    header = ("job", "held up", "measured ms", "here ms", "handled", "replaced", "of")
    print("\n".join(markdown(header, rows)))


def crowded(cluster: Cluster, tasks: Tasks, cores: int, held_up: float = 0.0) -> Crowded:
    """Steps of a run whose pieces of work are held up with this probability."""
    host, ranks = Host(cores), dict[Node, Rank]()
    for node in cluster:
        if node.role is not Role.OBSERVER:
            ranks[node] = Rank(node, core_of(node, cluster), tasks, ranks)
    for node, rank in ranks.items():
        rng = seeds.stream(0, "held-up", node.role.value, node.index)
        host.start(_held_up(rank.life(), held_up, rng))
    first_s, first = _until(host, ranks, SETTLING)
    last_s, last = _until(host, ranks, SETTLING + COUNTED)
    handled, replaced = (
        (after - before) / COUNTED for before, after in zip(first, last, strict=True)
    )
    return Crowded((last_s - first_s) / COUNTED, handled, replaced)


def _held_up(life: Life, probability: float, rng: np.random.Generator) -> Life:
    for does, seconds in life:
        if does is Does.WORK and rng.random() < probability:
            yield Does.SLEEP, HELD_UP_S
        yield does, seconds


def _until(host: Host, ranks: Mapping[Node, Rank], step: int) -> tuple[float, tuple[int, int]]:
    """When half of the servers have reached a step; messages handled and replaced until then."""
    servers = [rank.core for node, rank in ranks.items() if node.role is Role.SERVER]
    while sum(core.step >= step for core in servers) * 2 < len(servers):
        host.step()
        if host.now_s > LIMIT_S:
            raise InvariantError(f"step {step} is not reached in {LIMIT_S:.0f} s of virtual time")
    handled = sum(rank.handled for rank in ranks.values())
    return host.now_s, (handled, sum(rank.outbox.replaced.total() for rank in ranks.values()))


def _row(each: Recorded, costs: MessageCosts, held_up: float) -> list[str]:
    job, known = each.job, each.known
    message_s = costs.message_s(frame_bytes(job.dimension))
    tasks = Tasks(known.gradient_s, known.rule_s, known.median_s, message_s, LOOK_S)
    found = crowded(job.cluster, tasks, CORES, held_up)
    return [
        job.name,
        f"{held_up:.1%}",
        f"{1e3 * each.measured_s:.1f}",
        f"{1e3 * found.step_s:.1f}",
        f"{found.handled:.0f}",
        f"{found.replaced:.1f}",
        str(traffic(job.cluster, job.dimension).messages),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The protocol where ranks share cores.")
    parser.add_argument("report", type=Path, help="what measure.py has written")
    return parser.parse_args()


if __name__ == "__main__":
    main()
