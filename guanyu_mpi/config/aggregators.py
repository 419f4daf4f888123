"""The rules that a configuration chooses, bound to its quorums.

`ahead`: see Aggregator.
"""

from dataclasses import replace

from guanyu_mpi.aggregation import Aggregator, bind_options
from guanyu_mpi.cluster import Cluster
from guanyu_mpi.config.sections import AggregationSection


def gradients_aggregator(
    section: AggregationSection, nodes: Cluster, *, ahead: bool = True
) -> Aggregator:
    """The rule F on gradients, with what comes before it; raises ConfigError."""
    rule = bind_options(
        section.gradients,
        section.gradients_options,
        n=nodes.worker_quorum,
        f=nodes.byzantine_workers,
        pre=section.pre,
        pre_options=section.pre_options,
    )
    return replace(rule, ahead=ahead)


def models_aggregator(
    section: AggregationSection, nodes: Cluster, *, ahead: bool = True
) -> Aggregator:
    """The rule on the servers' parameters; raises ConfigError."""
    rule = bind_options(
        section.models,
        section.models_options,
        n=nodes.server_quorum,
        f=nodes.byzantine_servers,
        pre=(),
        pre_options={},
    )
    return replace(rule, ahead=ahead)
