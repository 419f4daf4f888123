"""The ways in which things fail: the user is wrong, a peer is wrong, or we are wrong."""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum


class GuanYuError(Exception):
    """Everything this package raises on purpose."""


class ConfigError(GuanYuError):
    """The user's configuration, command line or launch is wrong; one fault per line."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class DataError(GuanYuError):
    """A data file is missing, damaged or of another kind."""


class CheckpointError(GuanYuError):
    """A checkpoint is damaged, foreign, or does not belong to this run."""


class CommunicatorLost(GuanYuError):
    """A rank has revoked a communicator: no message can be sent any more."""


class InvariantError(GuanYuError):
    """This program is wrong: something that cannot happen has happened."""


class Fault(Enum):
    """What can be wrong with one frame from a peer."""

    SIZE = "size"
    EXCESS = "excess"
    STRAY = "stray"
    MAGIC = "magic"
    KIND = "kind"
    STEP = "step"
    NON_FINITE = "non-finite"


class PeerFault(GuanYuError):
    """A peer sent a frame that is to be counted against it and dropped."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(f"{fault.value}: {detail}")
        self.fault = fault


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Describe an unknown name: the near miss if there is one, and all that is known."""
    names = sorted(known)
    if not names:
        return f"unknown {what} {name!r}; there is none"
    near = get_close_matches(name, names, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {name!r};{hint} known: {', '.join(names)}"
