"""All attacks, listed by hand: what each needs, and what its options may be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, cast

from guanyu_mpi.attacks.corruption import bit_flip
from guanyu_mpi.attacks.labels import flipped
from guanyu_mpi.attacks.limits import Limit, any_number, not_zero, positive, share, whole
from guanyu_mpi.attacks.omniscient import alie, alie_z, drift, ipm, one_coordinate, split
from guanyu_mpi.attacks.remembering import Freeze, Mimic, StaleReplay
from guanyu_mpi.attacks.searched import opt_alie, opt_ipm
from guanyu_mpi.attacks.vectors import (
    equivocate,
    gaussian,
    inf,
    mute,
    nan,
    random,
    reverse,
    sign_flip,
    zero,
)
from guanyu_mpi.attacks.view import View
from guanyu_mpi.errors import ConfigError, unknown
from guanyu_mpi.messages import Vector

BoundAttack: TypeAlias = Callable[[View], Vector | None]

# Bounds on what costs time, or memory: nobody means more.
EVALUATIONS_MAX, STEPS_MAX, WARPS_MAX = 1000, 10_000, 10**6


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack, and what it needs.

    `equivocates`: tells different receivers different things. `omniscient`: has to overhear what
    honest nodes of its role say. `remembers`: `function` is a class, of which every attacker has
    an instance. `in_data`: is done to batches, before any vector is computed of them.
    """

    function: Callable[..., object]
    options: Mapping[str, Limit] = field(default_factory=dict)
    equivocates: bool = False
    omniscient: bool = False
    remembers: bool = False
    in_data: bool = False

    @property
    def agreed(self) -> bool:
        """Whether all who have overheard the same send the same, to everybody."""
        return self.omniscient and not self.remembers and not self.equivocates


_SEARCH = {"evaluations": whole(1, EVALUATIONS_MAX)}

ATTACKS: dict[str, Attack] = {
    # What an attacker makes of its own vector.
    "reverse": Attack(reverse, {"scale": any_number}),
    "sign-flip": Attack(sign_flip),
    "gaussian": Attack(gaussian, {"std": any_number}),
    "random": Attack(random, {"scale": not_zero}),
    "zero": Attack(zero),
    "nan": Attack(nan),
    "inf": Attack(inf),
    "mute": Attack(mute),
    "equivocate": Attack(equivocate, {"std": not_zero}, equivocates=True),
    "bit-flip": Attack(
        bit_flip,
        {"warps": whole(1, WARPS_MAX), "bits": whole(1, 32), "non_finite": share},
    ),
    "label-flip": Attack(flipped, {"classes": whole(2, 2**31)}, in_data=True),
    # What it remembers of its own vectors.
    "freeze": Attack(Freeze, remembers=True),
    "stale-replay": Attack(StaleReplay, {"steps": whole(1, STEPS_MAX)}, remembers=True),
    # What it makes of the others'.
    "alie": Attack(alie, {"z": not_zero, "variant": whole(1, 2)}, omniscient=True),
    "ipm": Attack(ipm, {"epsilon": positive}, omniscient=True),
    "one-coordinate": Attack(one_coordinate, {"gamma": not_zero}, omniscient=True),
    "drift": Attack(drift, {"z": not_zero}, omniscient=True),
    "split": Attack(split, {"z": not_zero}, equivocates=True, omniscient=True),
    "opt-alie": Attack(opt_alie, _SEARCH, omniscient=True),
    "opt-ipm": Attack(opt_ipm, _SEARCH, omniscient=True),
    "mimic": Attack(Mimic, {"warmup": whole(1, STEPS_MAX)}, omniscient=True, remembers=True),
}


def bind_attack(name: str, **options: float) -> BoundAttack:
    """Bind an attack of ATTACKS to its options; what it remembers begins here.

    ConfigError for an unknown one of either, and for an option that is not within its limits.
    """
    if name not in ATTACKS:
        raise ConfigError(unknown("attack", name, ATTACKS))
    attack = ATTACKS[name]
    faults = [fault for key in options if (fault := _fault(name, attack, key, options[key]))]
    if "z" in options and "variant" in options:
        faults.append(f"options z and variant of attack {name!r} exclude each other")
    if faults:
        raise ConfigError(*faults)
    function = attack.function
    bound = function(**options) if attack.remembers else partial(function, **options)
    # Either takes a view: a class makes an object that is called as the functions are.
    return cast(BoundAttack, bound)


def crowd_faults(
    name: str, options: Mapping[str, float], *, nodes: int, attackers: int
) -> list[str]:
    """Why so many attackers of so many nodes cannot do this; options are within their limits."""
    if "variant" not in options:
        return []
    try:
        alie_z(nodes, attackers, int(options["variant"]))
    except ConfigError as error:
        return [f"attack {name!r}: {fault}" for fault in error.faults]
    return []


def _fault(name: str, attack: Attack, option: str, value: float) -> str:
    if option not in attack.options:
        return unknown(f"option of attack {name!r}:", option, attack.options)
    must = attack.options[option](value)
    return f"option {option} = {value:g} of attack {name!r}: {must}" if must else ""
