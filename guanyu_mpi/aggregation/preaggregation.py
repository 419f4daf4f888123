"""What may be done to the vectors before a rule sees them, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from guanyu_mpi.aggregation.arrays import Row
from guanyu_mpi.aggregation.bucketing import bucketing, buckets, s_fault
from guanyu_mpi.aggregation.centered_clipping import tau_fault
from guanyu_mpi.aggregation.nnm import nnm
from guanyu_mpi.aggregation.norm_clipping import arc, clipping
from guanyu_mpi.aggregation.points import Points
from guanyu_mpi.aggregation.rules import OptionFault


class PreFunction(Protocol):
    """Points made of n others, of which f may be Byzantine; as many of the new ones may be."""

    def __call__(self, points: Points[Row], f: int) -> Points[Row]:
        """The points that the rule is to combine."""
        ...


@dataclass(frozen=True, slots=True)
class PreAggregation:
    """A pre-aggregation and how many points it leaves of n, given its options."""

    function: PreFunction
    options: Mapping[str, OptionFault] = field(default_factory=dict)
    leaves: Callable[..., int] = lambda n, **_: n
    # Options that have no default.
    required: tuple[str, ...] = ()


PRE: dict[str, PreAggregation] = {
    "arc": PreAggregation(arc),
    "bucketing": PreAggregation(bucketing, options={"s": s_fault}, leaves=buckets),
    "clipping": PreAggregation(clipping, options={"tau": tau_fault}, required=("tau",)),
    "nnm": PreAggregation(nnm),
}
