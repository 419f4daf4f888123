"""One process of the outside baseline: the same model, data and rate, trained by torch alone."""

import math
import signal
import time
from collections.abc import Callable
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from guanyu_mpi.account import Account
from guanyu_mpi.bench.ddp_group import Place, Taken
from guanyu_mpi.bench.ddp_pace import Pace
from guanyu_mpi.bench.images import IMAGES
from guanyu_mpi.bench.step_plan import LEARNING_RATE, SEED
from guanyu_mpi.data import Batches, load
from guanyu_mpi.faults.process import die
from guanyu_mpi.models.architecture import Architecture
from guanyu_mpi.models.catalogue import ARCHITECTURES

# Who has died is not waited for any longer.
PATIENCE = timedelta(minutes=10)
# What a first step has taken, the next may take besides.
STEPS_ALONE = 3


class Network(nn.Module):
    """A built-in network as a module, with the parameters that a run of ours begins with."""

    def __init__(self, architecture: Architecture, values: Tensor) -> None:
        super().__init__()
        shapes = [parameter.shape for parameter in architecture.parameters]
        parts = torch.split(values, [math.prod(shape) for shape in shapes])
        leaves = [part.clone().view(shape) for part, shape in zip(parts, shapes, strict=True)]
        self.leaves = nn.ParameterList(leaves)
        self._forward = architecture.forward

    def forward(self, images: Tensor) -> Tensor:
        """Logits (b, classes)."""
        return self._forward(list(self.leaves), images)


def take_part(place: Place) -> Taken:
    """Train to the last of the steps that count."""
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{place.rendezvous}",
        rank=place.rank,
        world_size=place.plan.workers,
        timeout=PATIENCE,
    )
    taken = _train(place)
    distributed.destroy_process_group()
    return taken


def alone(place: Place) -> int:
    """Train by torch with nobody else for a few steps; the most memory that it has had, bytes."""
    step_of = _step_of(place, Pace(1.0))
    for step in range(STEPS_ALONE):
        step_of(step)
    return Account().usage().peak_bytes


def _train(place: Place) -> Taken:
    plan, account = place.plan, Account(time.monotonic)
    pace = Pace(place.times or 1.0)
    step_of = _step_of(place, pace)
    step_of(0)
    first_gradient_s = time.monotonic()
    for step in range(1, plan.first):
        step_of(step)
    begun_s, before = time.monotonic(), account.usage()
    for step in range(plan.first, plan.last):
        step_of(step)
    counted_s, after = time.monotonic() - begun_s, account.usage()
    return Taken(
        first_gradient_s,
        counted_s,
        after.cpu_s - before.cpu_s,
        after.peak_bytes,
        pace.spent_s,
        pace.worked_s,
    )


def _step_of(place: Place, pace: Pace) -> Callable[[int], None]:
    """What trains one step; gradients are averaged while the backward pass goes on."""
    spec = place.plan.spec
    values = torch.from_numpy(spec.initial_params())
    network: nn.Module = Network(ARCHITECTURES[spec.name], values)
    if distributed.is_initialized():
        network = DistributedDataParallel(network)
        if place.times is not None:
            network.register_comm_hook(network.process_group, pace.averaged)
    optimiser = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    train, _ = load(IMAGES, options={"shape": spec.image_shape})
    batches = Batches(train, place.batch_size, SEED)

    def step_of(step: int) -> None:
        if step == place.dies_at:
            die(signal.SIGKILL)
        images, labels = batches(place.rank, step)
        optimiser.zero_grad()
        pace.begin()
        logits = network(torch.from_numpy(images))
        torch.autograd.backward(cross_entropy(logits, torch.from_numpy(labels)))
        optimiser.step()

    return step_of
