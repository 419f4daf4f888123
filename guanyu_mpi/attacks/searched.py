"""Omniscient attackers that try out, on the rule in use, how far they can go.

All attackers of a quorum send the same vector; the damage is how far the rule's result lies from
the honest mean. Shejwalkar and Houmansadr, NDSS 2021, and the line searches of public libraries.
"""

from collections.abc import Callable

import numpy as np

from guanyu_mpi.attacks.omniscient import to_vector
from guanyu_mpi.attacks.view import Float64s, View
from guanyu_mpi.messages import Vector


def opt_alie(view: View, *, evaluations: float = 16.0) -> Vector:
    """mean - z deviation, with the z of most damage to the rule in use."""
    return _worst(view, view.honest.mean, -view.honest.deviation, int(evaluations))


def opt_ipm(view: View, *, evaluations: float = 16.0) -> Vector:
    """-epsilon mean, with the epsilon of most damage to the rule in use."""
    nothing = np.zeros_like(view.honest.mean)
    return _worst(view, nothing, -view.honest.mean, int(evaluations))


def _worst(view: View, start: Float64s, direction: Float64s, evaluations: int) -> Vector:
    honest, crowd = view.honest, view.crowd
    copies = crowd.quorum - len(honest.vectors)
    combine = crowd.prepared(honest.vectors)

    def damage(factor: float) -> float:
        lie = to_vector(start + factor * direction)
        # A receiver would refuse it.
        if not np.isfinite(lie).all():
            return -np.inf
        with np.errstate(over="ignore", invalid="ignore"):
            combined = combine([*honest.vectors, *[lie] * copies])
            return float(np.linalg.norm(combined - honest.mean))

    return to_vector(start + worst_factor(damage, evaluations) * direction)


def worst_factor(damage: Callable[[float], float], evaluations: int) -> float:
    """A factor of great damage, found in so many evaluations beside that of no factor at all.

    Doubles its stride while that helps, then halves it: right where damage grows up to the point
    at which the rule sees through it.
    """
    worst, most, stride, expanding = 0.0, damage(0.0), 1.0, True
    for _ in range(evaluations):
        found = damage(worst + stride)
        if found > most:
            worst, most = worst + stride, found
        else:
            expanding = False
        stride *= 2.0 if expanding else 0.5
    return worst
