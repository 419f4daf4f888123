"""What makes large clusters cheaper: changes of what the model is asked, one on top of another."""

from dataclasses import dataclass, replace

import numpy as np
from phases import Platform, Work, step_s

from guanyu_mpi.cluster import Cluster
from guanyu_mpi.costs import rule_operations
from guanyu_mpi.transport.wire import HEADER


@dataclass(frozen=True, slots=True)
class Site:
    """Assumed hosts: a server has one alone, eight workers share one.

    Operations per second are those of one core here (benchmarks/rules-2026-11-21.md, n = 33), of
    inner products and of selection networks; a message is read once, to see that it is finite.
    """

    bandwidth: float = 25e9
    latency_s: float = 10e-6
    cores: int = 64
    workers_per_host: int = 8
    products_per_s: float = 2.8e10
    selections_per_s: float = 0.95e10
    read_per_s: float = 26.9e9
    message_s: float = 20e-6


@dataclass(frozen=True, slots=True)
class Design:
    """How GuanYu is run: by default as it is.

    `threads` combine and check at a server, `worker_threads` at a worker; each server's
    coordinates are shared out over so many `shards`, hosts of their own.
    """

    rule: str = "multi-krum"
    number_bytes: int = 4
    threads: int = 1
    worker_threads: int = 1
    shards: int = 1
    contract_every: int = 1


AS_IT_IS = Design()
LIFTS = {
    "as it is": AS_IT_IS,
    "+ all cores combine": (threaded := replace(AS_IT_IS, threads=64, worker_threads=8)),
    "+ bfloat16 on the wire": (narrow := replace(threaded, number_bytes=2)),
    "+ every server on 8 hosts": (sharded := replace(narrow, shards=8)),
    "+ contraction every 10 steps": (seldom := replace(sharded, contract_every=10)),
    "+ median of the gradients": replace(seldom, rule="median"),
}


def predicted_s(
    cluster: Cluster, dimension: int, gradient_s: float, design: Design, site: Site
) -> float:
    """Seconds per step of a design on a site."""
    size_bytes = HEADER.size + design.number_bytes * dimension
    servers, workers = np.arange(cluster.servers), np.arange(cluster.workers)
    hosts = np.concatenate([servers, cluster.servers + workers // site.workers_per_host])
    bandwidth = np.full(hosts[-1] + 1, site.bandwidth)
    bandwidth[servers] *= design.shards
    reading_s = size_bytes / site.read_per_s
    at_server, at_worker = design.threads * design.shards, design.worker_threads
    median_s = combining_s("median", cluster.server_quorum, dimension, site)
    rule_s = combining_s(design.rule, cluster.worker_quorum, dimension, site)
    return step_s(
        cluster,
        size_bytes,
        Platform(hosts, bandwidth, site.cores, site.latency_s),
        Work(
            gradient_s=gradient_s,
            rule_s=rule_s / at_server,
            server_median_s=median_s / at_server,
            worker_median_s=median_s / at_worker,
            server_message_s=site.message_s + reading_s / at_server,
            worker_message_s=site.message_s + reading_s / at_worker,
        ),
        contract_every=design.contract_every,
    )


def combining_s(rule: str, vectors: int, dimension: int, site: Site) -> float:
    """Seconds of one core for a rule."""
    rate = site.selections_per_s if rule == "median" else site.products_per_s
    # Those of the median and of multi-krum are of n vectors, whatever f is.
    operations = rule_operations(rule, vectors, f=0)
    assert operations is not None, f"the operations of {rule} are not known"
    return operations * dimension / rate
