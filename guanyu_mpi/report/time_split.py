"""Where the ranks' time has gone, as a table: by their own word, since they last began."""

from collections.abc import Iterator, Sequence

from guanyu_mpi.account import ASLEEP, Activity
from guanyu_mpi.cluster import Role
from guanyu_mpi.report.blocks import table
from guanyu_mpi.report.markup import Markup, element, joined, paragraph, text
from guanyu_mpi.report.numerals import percent
from guanyu_mpi.standing import Standing

# What a reader tells apart of what a rank does with a core, and what of its doing belongs to it.
WORK = {
    "compute": (Activity.COMPUTE,),
    "aggregate": (Activity.AGGREGATE,),
    "communicate": (Activity.COPY, Activity.SEND, Activity.RECEIVE),
    "other": (Activity.WRITE, Activity.OTHER),
}
REMARK = (
    "Wait: asleep until a message comes. Held up: awake, and without a core, or waiting for "
    "another thread or the disk."
)


def time_split(standings: Sequence[Standing]) -> Markup | None:
    """Shares of the time of all ranks of a role; nothing where none has told any."""
    rows = list(_rows(standings))
    if not rows:
        return None
    title = element("h3", text("Where the ranks' time went"))
    header = ("ranks", *WORK, "wait", "held up")
    return joined(title, table(header, rows, numeric_from=1), paragraph(REMARK, class_="small"))


def _rows(standings: Sequence[Standing]) -> Iterator[list[str]]:
    for role in (Role.SERVER, Role.WORKER):
        ranks = [at for at in standings if at.node.role is role]
        whole_s = sum(sum(at.spent_s.values()) for at in ranks)
        if whole_s > 0:
            parts_s = [
                sum(at.worked_s.get(one, 0.0) for at in ranks for one in activities)
                for activities in WORK.values()
            ]
            parts_s.append(sum(at.spent_s.get(one, 0.0) for at in ranks for one in ASLEEP))
            held_up_s = max(0.0, whole_s - sum(parts_s))
            yield [f"{role.value}s", *(percent(s / whole_s) for s in [*parts_s, held_up_s])]
