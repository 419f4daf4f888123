"""The transport's benchmark as a job of two ranks."""

from guanyu_mpi.bench.apart import measured_by_ranks
from guanyu_mpi.bench.transport_report import (
    TransportPlan,
    TransportReport,
    from_json,
    plan_to_json,
)

NUM_RANKS = 2


def measured_transport(plan: TransportPlan) -> TransportReport:
    """What they have measured; raises InvariantError if they fail."""
    return from_json(measured_by_ranks("transport", plan_to_json(plan), NUM_RANKS))
