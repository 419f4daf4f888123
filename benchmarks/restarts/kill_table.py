"""How many kills hit what, and how many steps each has cost, in Markdown."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kill_verdict import Left

WHERE = {
    "starting": "starting: no server has begun",
    "training": "training, between two checkpoints",
    "writing": "writing: an unfinished file is left",
    "ending": "ending: some rank is done",
}


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: what it was aimed at, what it hit, and what it left."""

    aim: str
    where: str
    processes: int
    left: Left


def table(kills: Sequence[Kill], every: int) -> Iterator[str]:
    """By what was hit, and by the steps that were lost."""
    yield _line(["killed while", "kills", "of these aimed at writing", "lost, mean", "lost, most"])
    yield _line(["---"] * 5)
    for where, name in WHERE.items():
        yield _line(_row(name, [kill for kill in kills if kill.where == where]))
    yield _line(_row("all", kills))
    lost = Counter(kill.left.lost for kill in kills)
    steps = range(max([every, *lost]) + 1)
    yield from ("", _line(["steps lost", *steps]), _line(["---"] * (len(steps) + 1)))
    yield _line(["kills", *(lost[one] for one in steps)])
    beyond = sum(kill.left.lost > every for kill in kills)
    split = sum(kill.left.split for kill in kills)
    yield from (
        "",
        "Lost: the steps from the one that a quorum of servers had reached in memory back to the "
        f"one that a restart takes. A checkpoint is due every {every} steps; {beyond} kills lost "
        "more than that: steps that were trained while the newest checkpoint was being written. "
        f"{split} kills left some servers, too few for a restart, with a newer one.",
    )


def _row(name: str, kills: Sequence[Kill]) -> list[object]:
    lost = [kill.left.lost for kill in kills]
    aimed = sum(kill.aim == "writing" for kill in kills)
    mean = f"{sum(lost) / len(lost):.2f}" if lost else "-"
    return [name, len(kills), aimed, mean, max(lost, default="-")]


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
