"""What attackers send in place of an honest vector: pure functions, listed by hand."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from guanyu_mpi.attacks.vectors import equivocate, gaussian, mute, nan, reverse
from guanyu_mpi.attacks.view import View
from guanyu_mpi.errors import ConfigError, unknown
from guanyu_mpi.messages import Vector

__all__ = ["ATTACKS", "Attack", "BoundAttack", "View", "bind_attack"]

BoundAttack: TypeAlias = Callable[[View], Vector | None]


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack, and whether it tells different receivers different things."""

    function: Callable[..., Vector | None]
    equivocates: bool = False


ATTACKS: dict[str, Attack] = {
    "reverse": Attack(reverse),
    "gaussian": Attack(gaussian),
    "nan": Attack(nan),
    "mute": Attack(mute),
    "equivocate": Attack(equivocate, equivocates=True),
}


def bind_attack(name: str, **options: float) -> BoundAttack:
    """Bind an attack of ATTACKS to its options; ConfigError for an unknown one of either."""
    if name not in ATTACKS:
        raise ConfigError(unknown("attack", name, ATTACKS))
    function = ATTACKS[name].function
    known = [key for key in inspect.signature(function).parameters if key != "view"]
    faults = [
        unknown(f"option of attack {name!r}:", key, known) for key in options if key not in known
    ]
    if faults:
        raise ConfigError(*faults)
    return partial(function, **options)
