"""Aggregation rules: pure functions that combine n vectors, of which f may be anything, into one.

from guanyu_mpi.aggregation import bind
bind("multi-krum", n=13, f=3)(vectors)        vectors of shape (13, d), result of shape (d,)
"""

from guanyu_mpi.aggregation.binding import Aggregator, bind, bind_options
from guanyu_mpi.aggregation.preaggregation import PRE, PreAggregation
from guanyu_mpi.aggregation.rules import RULES, Rule

__all__ = ["PRE", "RULES", "Aggregator", "PreAggregation", "Rule", "bind", "bind_options"]
