"""What the rules see in a quorum, as lines for a person: who is far from whom."""

from collections.abc import Iterator

import numpy as np

from guanyu_mpi.aggregation.arrays import Float64s
from guanyu_mpi.aggregation.kernels import default_kernels
from guanyu_mpi.aggregation.krum import krum_scores
from guanyu_mpi.aggregation.points import Points
from guanyu_mpi.messages import Vector
from guanyu_mpi.protocol.quorum import Quorum
from guanyu_mpi.resilience import Resilience, estimate

# The aggregate's own distance; then what Krum, CGE and Aksel choose by: the least are taken.
HEADING = f"{'':15}{'vote for':>8}{'distance':>12}{'rank':>6}{'krum':>12}{'cge':>12}{'aksel':>12}"


def estimates(quorum: Quorum, combined: Vector, f: int) -> str:
    """What resilience.py makes of a quorum of gradients and their aggregate."""
    found = estimate(quorum.vectors, combined, f)
    return (
        f"noise {found.noise:.3g}, norm {found.norm:.3g}, alignment {found.alignment:.3f}, "
        f"{found.outlying} outlying"
    )


def scores(quorum: Quorum, combined: Vector, f: int) -> Iterator[str]:
    """A line for each member: its distance to the result, its place by that, and rules' scores."""
    points = Points(quorum.vectors, default_kernels())
    found: Resilience = estimate(quorum.vectors, combined, f)
    columns = (
        np.sqrt(points.squared_distances_to(combined)),
        np.array(found.ranks, np.float64),
        _krum(points.squared, f),
        np.sqrt(points.lengths),
        np.sqrt(points.squared_distances_to(points.median())),
    )
    yield HEADING
    members = zip(quorum.senders, quorum.votes, *columns, strict=True)
    for sender, vote, away, rank, krum, length, aside in members:
        yield (
            f"{f'  {sender}':15}{vote.step:>8}{away:>12.4g}{rank:>6.0f}"
            f"{krum:>12.4g}{length:>12.4g}{aside:>12.4g}"
        )


def _krum(squared: Float64s, f: int) -> Float64s:
    """Krum's scores (n,); NaN where n is too small for it."""
    if len(squared) < 2 * f + 3:
        return np.full(len(squared), np.nan)
    return krum_scores(squared, f)
