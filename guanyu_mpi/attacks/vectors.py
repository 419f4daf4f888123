"""Attackers that know only their own honest vector: what they send for it, (d,), or None.

Papers: Blanchard et al., NeurIPS 2017 (gaussian); Guerraoui et al., DSN 2021 (reverse, random).
"""

import numpy as np

from guanyu_mpi.attacks.view import View
from guanyu_mpi.messages import Vector


def reverse(view: View, *, scale: float = -100.0) -> Vector:
    """The honest vector times a large negative number: uphill, a hundred times as far."""
    with np.errstate(over="ignore", invalid="ignore"):
        return view.vector * np.float32(scale)


def sign_flip(view: View) -> Vector:
    """The honest vector with its sign flipped: of the same length, so no norm betrays it."""
    return -view.vector


def gaussian(view: View, *, std: float = 200.0) -> Vector:
    """Noise N(0, std^2) in every coordinate, the same to all receivers."""
    noise = view.random().standard_normal(view.vector.shape, dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return noise * np.float32(std)


def random(view: View, *, scale: float = 1.0) -> Vector:
    """Uniform in [0, scale) in every coordinate, the same to all receivers."""
    drawn = view.random().random(view.vector.shape, dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return drawn * np.float32(scale)


def zero(view: View) -> Vector:
    """Zero in every coordinate: the step is shortened, the parameters are pulled to zero."""
    return np.zeros_like(view.vector)


def nan(view: View) -> Vector:
    """Not a number in every coordinate."""
    return np.full_like(view.vector, np.nan)


def inf(view: View) -> Vector:
    """Infinity in every coordinate."""
    return np.full_like(view.vector, np.inf)


def mute(view: View) -> None:
    """Nothing at all."""
    del view


def equivocate(view: View, *, std: float = 1.0) -> Vector:
    """The honest vector plus noise that is drawn anew for every receiver.

    The noise has `std` times the root mean square of the honest vector in every coordinate.
    """
    rng = view.random(str(view.receiver))
    noise = rng.standard_normal(view.vector.shape, dtype=np.float32)
    size = np.sqrt(np.mean(np.square(view.vector, dtype=np.float64)))
    with np.errstate(over="ignore", invalid="ignore"):
        return view.vector + noise * np.float32(std * size)
