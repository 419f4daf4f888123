"""What attackers send in place of an honest vector: functions of what they know."""

from guanyu_mpi.attacks.agreed import Agreed
from guanyu_mpi.attacks.catalogue import (
    ATTACKS,
    Attack,
    BoundAttack,
    bind_attack,
    crowd_faults,
)
from guanyu_mpi.attacks.labels import flipped
from guanyu_mpi.attacks.view import ALONE, Combine, Crowd, Honest, View

__all__ = [
    "ALONE",
    "ATTACKS",
    "Agreed",
    "Attack",
    "BoundAttack",
    "Combine",
    "Crowd",
    "Honest",
    "View",
    "bind_attack",
    "crowd_faults",
    "flipped",
]
