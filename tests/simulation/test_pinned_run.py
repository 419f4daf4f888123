"""One short run to the last bit: what makes training faster must not change it.

The digests below change where what is computed is meant to change: a rule, the protocol, a frame,
a random stream (numpy may change its own, NEP 19). Such a change says so in CHANGELOG.md, with its
reason, and writes the new ones here. Nothing else may: not the kernels in use, nor the processor.
Hence the problem: its curvature is 1 everywhere, so that no logarithm or power of some C library
has a part in it, its noise a quarter of what is drawn, and what is drawn far from the tails, which
need a logarithm. Estimates for the observer are left out: numpy adds them up in an order of its
own, and nobody trains on them.
"""

import hashlib
from collections.abc import Sequence

import pytest
from quadratic_runs import TINY

from guanyu_mpi.aggregation import binding
from guanyu_mpi.aggregation.kernels import NumpyKernels, default_kernels
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import parse_config
from guanyu_mpi.messages import Gradient, Message, Params, Report
from guanyu_mpi.simulation import simulate
from guanyu_mpi.transport.wire import encode

CONFIG = parse_config(
    TINY
    | {
        "run": {**TINY["run"], "seed": 4},
        # Five gradients are averaged: the order of two would not show.
        "cluster": {**TINY["cluster"], "workers": 9, "worker_quorum": 8},
        "model": {
            "name": "quadratic",
            "options": {"dimension": 20, "mu": 1.0, "L": 1.0, "sigma": 0.25},
        },
        "attack": {"workers": {"name": "reverse", "count": 1}},
        "simulation": {"delay": "uniform"},
    }
)
SENT = "1dd466b8ca41faeee5f4a567ebe7d60dd046366be28d1a4c91616df0d91ef0a3"
PARAMS = "144e65b738aa492b9246777582d7530701e3a3da4e26270777b8b7d5ca0c4eb0"


class Digests:
    """Of all that is sent, in order, and of the parameters that a server ends with."""

    def __init__(self) -> None:
        self.sent = hashlib.sha256()
        self.params: dict[Node, str] = {}
        self.gradients: set[bytes] = set()

    def add(self, sender: Node, receivers: Sequence[Node], message: Message) -> None:
        if isinstance(message, Report):
            return
        self.sent.update(f"{sender} to {', '.join(map(str, receivers))}: ".encode())
        self.sent.update(encode(message).data)
        if isinstance(message, Params) and message.step == CONFIG.run.steps:
            self.params[sender] = hashlib.sha256(message.vector.astype("<f4").data).hexdigest()
        if isinstance(message, Gradient):
            self.gradients.add(message.vector.tobytes())


@pytest.mark.parametrize("kernels", [default_kernels(), NumpyKernels()], ids=lambda k: k.name)
def test_a_run_is_what_it_was_to_the_last_bit(kernels, monkeypatch):
    monkeypatch.setattr(binding, "default_kernels", lambda: kernels)
    digests = Digests()
    simulate(CONFIG, on_send=digests.add)
    assert digests.sent.hexdigest() == SENT
    assert digests.params[Node(Role.SERVER, 0)] == PARAMS
    # What is pinned is worth it: gradients differ, and so what a rule does with them shows.
    assert len(digests.gradients) > CONFIG.run.steps * 4
