"""Small cores for tests, and effects as lines of text."""

from collections.abc import Sequence

import numpy as np

from guanyu_mpi.aggregation import bind
from guanyu_mpi.cluster import Cluster, Node, Role, default_quorum
from guanyu_mpi.messages import Message, Vector
from guanyu_mpi.protocol.effects import (
    Aggregated,
    Broadcast,
    Commit,
    ComputeGradient,
    Consumed,
    Effect,
    Halt,
    Send,
)
from guanyu_mpi.protocol.server import ServerCore
from guanyu_mpi.protocol.worker import WorkerCore


def server(index: int) -> Node:
    return Node(Role.SERVER, index)


def worker(index: int) -> Node:
    return Node(Role.WORKER, index)


def vector(*values: float) -> Vector:
    return np.array(values, np.float32)


def cluster_of(servers: int = 6, f: int = 1, workers: int = 6, f_workers: int = 1) -> Cluster:
    single = servers == 1
    return Cluster(
        servers=servers,
        byzantine_servers=f,
        server_quorum=1 if single else default_quorum(servers, f),
        workers=workers,
        byzantine_workers=f_workers,
        worker_quorum=default_quorum(workers, f_workers),
    )


def server_core(
    cluster: Cluster,
    index: int = 0,
    *,
    step: int = 0,
    steps: int = 10,
    rate: float = 0.5,
    params: Vector | None = None,
    contract_every: int = 1,
) -> ServerCore:
    return ServerCore(
        server(index),
        cluster,
        params=vector(1.0, 2.0) if params is None else params,
        step=step,
        steps=steps,
        rate=lambda _: rate,
        gar=bind("multi-krum", n=cluster.worker_quorum, f=cluster.byzantine_workers),
        contraction=bind("median", n=cluster.server_quorum, f=cluster.byzantine_servers),
        contract_every=contract_every,
    )


def worker_core(cluster: Cluster, index: int = 0, *, step: int = 0, steps: int = 10) -> WorkerCore:
    return WorkerCore(
        worker(index),
        cluster,
        step=step,
        steps=steps,
        contraction=bind("median", n=cluster.server_quorum, f=cluster.byzantine_servers),
    )


def told(effects: Sequence[Effect]) -> list[str]:
    return [_line(effect) for effect in effects]


def _line(effect: Effect) -> str:
    return _quorum(effect) if isinstance(effect, Consumed) else _other(effect)


def _said(message: Message) -> str:
    return f"{type(message).__name__}({message.step}) {message.vector.tolist()}"


def _quorum(consumed: Consumed) -> str:
    """Who voted; and for which step, where that is a later one."""
    quorum = consumed.quorum
    voters = " ".join(
        str(node.index) if vote.step == quorum.step else f"{node.index}@{vote.step}"
        for node, vote in zip(quorum.senders, quorum.votes, strict=True)
    )
    alone = " without its own vote" if consumed.adopted else ""
    return f"consumed {consumed.kind.__name__}({quorum.step}) of {voters}{alone}"


def _other(effect: Broadcast | Send | ComputeGradient | Aggregated | Commit | Halt) -> str:
    match effect:
        case Broadcast(message, to):
            return f"broadcast {_said(message)} to {to.value}s"
        case Send(message, receiver):
            return f"send {_said(message)} to {receiver}"
        case ComputeGradient(step, params):
            return f"compute gradient of {step} at {params.tolist()}"
        case Aggregated(step, senders, _, aggregate):
            voters = " ".join(str(node.index) for node in senders)
            return f"aggregated {step} {aggregate.tolist()} from workers {voters}"
        case Commit(step, params, gradients, updates):
            voters = " ".join(str(node.index) for node in gradients) or "-"
            peers = " ".join(str(node.index) for node in updates) or "-"
            return f"commit {step} {params.tolist()} from workers {voters}, servers {peers}"
        case Halt(outcome, step, reason):
            return f"halt {outcome.value} at {step} {reason}".strip()
