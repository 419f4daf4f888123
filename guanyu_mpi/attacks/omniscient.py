"""Attackers that know what honest nodes have said at the same step, and agree among themselves.

mean and deviation are those of the honest vectors that each attacker has overheard, by coordinate.
"""

from math import floor
from statistics import NormalDist

import numpy as np

from guanyu_mpi.attacks.view import Float64s, View
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.messages import Vector


def alie(view: View, *, z: float = 1.5, variant: float = 0.0) -> Vector:
    """mean - z deviation: "a little is enough", so little that some honest vectors are further.

    Baruch et al., NeurIPS 2019. With `variant` 1 or 2, z is the largest that leaves a majority of
    supporters, see `alie_z`.
    """
    if variant:
        z = alie_z(view.crowd.nodes, view.crowd.attackers, int(variant))
    return to_vector(view.honest.mean - z * view.honest.deviation)


def alie_z(nodes: int, attackers: int, variant: int) -> float:
    """z of n nodes of which f attack, who need s = floor(n/2 + 1) - f supporters.

    Variant 1 is the normal quantile of (n - s)/n, as Garfield has it; variant 2 that of
    (n - f - s)/(n - f), as in the paper. ConfigError where that is not positive.

    >>> round(alie_z(20, 8, 1), 3), round(alie_z(20, 8, 2), 3)
    (1.036, 0.674)
    """
    supporters = floor(nodes / 2 + 1) - attackers
    counted = nodes if variant == 1 else nodes - attackers
    if supporters < 1:
        raise ConfigError(
            f"variant = {variant} has no z for {attackers} attackers of {nodes}, who are a "
            "majority already; give z"
        )
    share = (counted - supporters) / counted
    z = NormalDist().inv_cdf(share) if share > 0 else -np.inf
    if z <= 0:
        raise ConfigError(
            f"variant = {variant} has no effect with {attackers} attackers of {nodes}: "
            f"its z is {z:.3g}; give z"
        )
    return z


def ipm(view: View, *, epsilon: float = 0.1) -> Vector:
    """-epsilon mean: inner product manipulation, or the fall of empires.

    Xie et al., UAI 2019. A small epsilon gets past Krum, a large one moves the median.
    """
    return to_vector(-epsilon * view.honest.mean)


def one_coordinate(view: View, *, gamma: float = 1.0) -> Vector:
    """mean + gamma |deviation| in one coordinate, chosen once for all: Krum's leeway.

    El-Mhamdi et al., ICML 2018: |deviation| grows with sqrt(d), and with it the error in one
    place that distances alone cannot tell from honest noise.
    """
    lie = view.honest.mean.copy()
    place = view.plan("coordinate").integers(lie.size)
    lie[place] += gamma * float(np.linalg.norm(view.honest.deviation))
    return to_vector(lie)


def drift(view: View, *, z: float = 1.0) -> Vector:
    """mean + z deviation with signs drawn once for all: a slow pull within the honest spread."""
    return to_vector(view.honest.mean + z * _agreed_signs(view) * view.honest.deviation)


def split(view: View, *, z: float = 10.0) -> Vector:
    """mean + z deviation to receivers of even index, mean - z deviation to the others.

    All attackers tell the same receivers the same: the servers are to drift apart.
    """
    side = 1.0 if view.receiver.index % 2 == 0 else -1.0
    pull = side * z * _agreed_signs(view) * view.honest.deviation
    return to_vector(view.honest.mean + pull)


def to_vector(lie: Float64s) -> Vector:
    """As it is sent, (d,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        return lie.astype(np.float32)


def _agreed_signs(view: View) -> Float64s:
    """+1 or -1 for every coordinate, (d,)."""
    return view.plan("signs").choice(np.array([-1.0, 1.0]), view.vector.shape)
