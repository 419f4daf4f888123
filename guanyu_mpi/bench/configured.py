"""What is measured of a configuration: its rule on its quorum of gradients, and its messages."""

from pathlib import Path

from guanyu_mpi.bench.machine import available_bytes, rules_bytes, shortage
from guanyu_mpi.bench.plan import Binding, Plan
from guanyu_mpi.bench.transport_report import TransportPlan
from guanyu_mpi.config import Config, load_config
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models import describe

# A call on large vectors takes seconds.
BUDGET_S = 20.0
# Two for MPI alone; of ours a vector, a frame that leaves, and one that arrives; of two ranks.
VECTORS_SENT = 2 * 5


def configured_rule(path: Path, *, quick: bool) -> Plan:
    """Only what servers do with a quorum of gradients; raises ConfigError."""
    config = load_config(path)
    n, d, chosen = config.nodes.worker_quorum, _dimension(config), config.aggregation
    what = f"{chosen.gradients} of {n} gradients (cluster.worker_quorum) of {d:,} parameters"
    _check_memory(what, rules_bytes(n, d), path)
    return Plan(
        rules=(chosen.gradients,),
        senders=(n,),
        dimensions=(d,),
        repeats=1 if quick else 15,
        budget_s=0 if quick else BUDGET_S,
        binding=Binding(
            config.nodes.byzantine_workers,
            chosen.gradients_options,
            tuple(chosen.pre),
            chosen.pre_options,
        ),
    )


def configured_messages(path: Path, *, quick: bool) -> TransportPlan:
    """Only messages between a server and a worker; raises ConfigError."""
    config = load_config(path)
    d, element = _dimension(config), config.transport.element
    _check_memory(f"sending {d:,} parameters", VECTORS_SENT * 4 * d, path)
    return TransportPlan((element.size_bytes * d,), repeats=2 if quick else 31, element=element)


def _dimension(config: Config) -> int:
    return describe(config.model.name, config.model.options, config.run.seed).dimension


def _check_memory(what: str, needed_bytes: int, path: Path) -> None:
    if short := shortage(needed_bytes, available_bytes()):
        raise ConfigError(f"{what} {short} ({path})")
