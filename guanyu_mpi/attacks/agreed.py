"""What attackers of one process have in common, so that it is worked out once."""

from guanyu_mpi.attacks.catalogue import BoundAttack
from guanyu_mpi.attacks.view import Honest, View
from guanyu_mpi.messages import Vector


class Agreed:
    """An attack by which all who have overheard the same send the same: asked once for all."""

    def __init__(self, attack: BoundAttack) -> None:
        self._attack = attack
        self._known = Honest()
        self._lie: Vector | None = None

    def __call__(self, view: View) -> Vector | None:
        """What the first of them has made of it, (d,), into which nobody may write."""
        if self._known is not view.overheard:
            self._known, self._lie = view.overheard, self._attack(view)
        return self._lie
