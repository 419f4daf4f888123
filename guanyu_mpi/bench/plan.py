"""What a benchmark of the rules is asked to measure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from guanyu_mpi.aggregation import RULES
from guanyu_mpi.errors import ConfigError, unknown

# The number of parameters of the CIFAR-10 network in the GuanYu paper, at which targets are set.
TARGET_D = 1_756_426
TARGET_N = 13
DIMENSIONS = (100_000, TARGET_D, 25_000_000)
# torch and byzfl take minutes beyond.
PEER_D_MAX = TARGET_D
SENDERS = (5, TARGET_N, 19, 33)
# Enough to see that everything runs.
QUICK_DIMENSIONS = (2_000,)
QUICK_SENDERS = (5, 13)


@dataclass(frozen=True, slots=True)
class Binding:
    """How a configuration binds its one rule."""

    f: int
    options: Mapping[str, object] = field(default_factory=dict)
    pre: tuple[str, ...] = ()
    pre_options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def __str__(self) -> str:
        """For a person.

        >>> str(Binding(5, {"m": 4}, ("nnm",)))
        'f = 5, m = 4, after nnm'
        """
        options = [f"{name} = {value}" for name, value in self.options.items()]
        after = [f"after {', '.join(self.pre)}"] if self.pre else []
        return ", ".join([f"f = {self.f}", *options, *after])


@dataclass(frozen=True, slots=True)
class Plan:
    """Which rules are timed, on how many vectors of how many coordinates, and for how long."""

    rules: tuple[str, ...]
    senders: tuple[int, ...]
    dimensions: tuple[int, ...]
    # A contender's calls of one rule on (n, d) vectors end with the first of these two.
    repeats: int
    budget_s: float
    # Of the one rule of a configuration; None: each for a quarter of the vectors.
    binding: Binding | None = None

    @property
    def has_target(self) -> bool:
        """Whether it measures where targets are set."""
        return TARGET_N in self.senders and TARGET_D in self.dimensions


def planned(
    rules: Sequence[str], senders: Sequence[int], dimensions: Sequence[int], *, quick: bool
) -> Plan:
    """The plan that a command line asks for, each empty list meaning the usual ones."""
    faults = [unknown("aggregation rule", name, RULES) for name in rules if name not in RULES]
    faults += [f"--senders {n}: needs at least 1" for n in senders if n < 1]
    faults += [f"--dimension {d}: needs at least 1" for d in dimensions if d < 1]
    if faults:
        raise ConfigError(*faults)
    return Plan(
        rules=tuple(sorted(set(rules or RULES))),
        senders=_ascending(senders or (QUICK_SENDERS if quick else SENDERS)),
        dimensions=_ascending(dimensions or (QUICK_DIMENSIONS if quick else DIMENSIONS)),
        repeats=1 if quick else 15,
        budget_s=0 if quick else 1.5,
    )


def _ascending(numbers: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(set(numbers)))


_ADAPTER = TypeAdapter(Plan)


def plan_to_json(plan: Plan) -> str:
    """A plan as one argument of a command."""
    return _ADAPTER.dump_json(plan).decode()


def plan_from_json(text: str) -> Plan:
    """The plan that `plan_to_json` wrote."""
    return _ADAPTER.validate_json(text)
