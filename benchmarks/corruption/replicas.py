"""Replicas of torch's DistributedDataParallel whose exchanges are corrupted: how they drift apart.

benchmarks/corruption/replicas.py --out FOLDER: six processes of DDP over gloo train what
configs/experiments/corruption.toml trains, with its data, batches, rate and seeds, and its kinds
of corruption. Nothing ever brings replicas together again: each applies what it was told. Every
run leaves a line of JSON per look in FOLDER/CORRUPTION-SEED.jsonl; one that is there is skipped.
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parameters_to_vector

from guanyu_mpi import seeds
from guanyu_mpi.attacks import View
from guanyu_mpi.attacks.corruption import bit_flip
from guanyu_mpi.bench.ddp import Network
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.data import Batches, load
from guanyu_mpi.drift import drift
from guanyu_mpi.messages import Vector
from guanyu_mpi.models import describe, objective
from guanyu_mpi.models.mlp import MLP

REPLICAS, STEPS, LOOK_EVERY = 6, 400, 10
BATCH_SIZE, LEARNING_RATE, SEEDS = 32, 0.1, (1, 2, 3)
# As the axes of the experiment: how large noise is beside a gradient, and whose bits are flipped.
NOISE = {"noise-1": 1.0, "noise-10": 10.0}
CORRUPTIONS = ("none", *NOISE, "worker-bits", "server-bits")


@dataclass(frozen=True, slots=True)
class Look:
    """All replicas after a step; `accuracy` of the best and the worst, `distance` is the root of
    the mean of |theta_m - mean|^2, and `walk` what independent noise alone would have made it.
    """

    step: int
    drift: float
    distance: float
    walk: float
    accuracy: tuple[float, float]


class Corruption:
    """What becomes of a replica's gradients: DDP's hook, called for each of their buckets."""

    def __init__(self, kind: str, rank: int, seed: int) -> None:
        self.noise_squared = 0.0
        self._kind = kind
        self._rank = rank
        self._seed = seed
        self._noise = seeds.stream(seed, "replica", rank)
        self._step = 0

    def averaged(self, _: object, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:
        """The gradients' mean as this replica hears it."""
        own, last = bucket.buffer(), self._rank == REPLICAS - 1
        if last and self._kind == "worker-bits":
            self._flip(own)
        squares = own.square().mean()
        distributed.all_reduce(own)
        own /= REPLICAS
        if last and self._kind == "server-bits":
            self._flip(own)
        if self._kind in NOISE:
            distributed.all_reduce(squares)
            self._disturb(own, NOISE[self._kind] * math.sqrt(float(squares)) / REPLICAS)
        self._step += bucket.is_last()
        heard: torch.futures.Future[Tensor] = torch.futures.Future()
        heard.set_result(own)
        return heard

    def _disturb(self, mean: Tensor, std: float) -> None:
        """Six messages, each with noise of its own for this replica, have a mean with less."""
        noise = self._noise.standard_normal(mean.shape, dtype=np.float32)
        mean += torch.from_numpy(noise * np.float32(std))
        self.noise_squared += std**2 * mean.numel()

    def _flip(self, vector: Tensor) -> None:
        node = Node(Role.SERVER, self._rank)
        heard = vector.numpy()
        heard[:] = bit_flip(View(heard, self._step, node, node, self._seed))


def replica(rank: int, rendezvous: str, kind: str, seed: int, out: Path) -> None:
    """One process: trains with the others, and as the first writes down what all have come to."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=REPLICAS
    )
    spec = describe("mlp", {}, seed)
    network = Network(MLP, torch.from_numpy(spec.initial_params()))
    corruption = Corruption(kind, rank, seed)
    parallel = DistributedDataParallel(network)
    parallel.register_comm_hook(None, corruption.averaged)
    step_of = _step_of(parallel, rank, seed)
    evaluate = _evaluation(seed)
    lines = []
    for step in range(STEPS + 1):
        if step % LOOK_EVERY == 0:
            models = _gathered(network)
            if rank == 0:
                look = _look(step, models, evaluate, corruption)
                lines.append(json.dumps(asdict(look)))
        if step < STEPS:
            step_of(step)
    if rank == 0:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    distributed.destroy_process_group()


def _step_of(network: nn.Module, rank: int, seed: int) -> Callable[[int], None]:
    optimiser = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    train, _ = load("mnist-small")
    batches = Batches(train, BATCH_SIZE, seed)

    def step_of(step: int) -> None:
        images, labels = batches(rank, step)
        optimiser.zero_grad()
        logits = network(torch.from_numpy(images))
        torch.autograd.backward(cross_entropy(logits, torch.from_numpy(labels)))
        optimiser.step()

    return step_of


def _evaluation(seed: int) -> Callable[[Vector], float]:
    train, test = load("mnist-small")
    judge = objective("mlp", {}, seed, batches=Batches(train, BATCH_SIZE, seed), test=test)
    return lambda params: judge.evaluate(params).accuracy or 0.0


def _gathered(network: nn.Module) -> list[Vector]:
    own = parameters_to_vector(network.parameters()).detach()
    found = [torch.empty_like(own) for _ in range(REPLICAS)]
    distributed.all_gather(found, own)
    return [one.numpy() for one in found]


def _look(
    step: int, models: list[Vector], evaluate: Callable[[Vector], float], corruption: Corruption
) -> Look:
    accuracies = [evaluate(model) for model in models]
    centre = np.mean(models, axis=0, dtype=np.float64)
    squared = [float(np.square(model - centre).sum()) for model in models]
    return Look(
        step=step,
        drift=drift(models),
        distance=math.sqrt(sum(squared) / REPLICAS),
        # Paths of independent steps: the mean takes one part in M of each replica's own.
        walk=LEARNING_RATE * math.sqrt((1 - 1 / REPLICAS) * corruption.noise_squared),
        accuracy=(max(accuracies), min(accuracies)),
    )


def run(kind: str, seed: int, out: Path) -> None:
    """One run of all replicas; raises RuntimeError if one of them fails."""
    with TemporaryDirectory() as folder:
        places = (str(Path(folder) / "rendezvous"), kind, seed, out)
        processes = [
            get_context("fork").Process(target=replica, args=(rank, *places), daemon=True)
            for rank in range(REPLICAS)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        if any(process.exitcode for process in processes):
            raise RuntimeError(f"{kind}, seed {seed}: {[p.exitcode for p in processes]}")


def main() -> None:
    """Every corruption with every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for kind in CORRUPTIONS:
        for seed in SEEDS:
            out = folder / f"{kind}-{seed}.jsonl"
            if not out.exists():
                run(kind, seed, out)
            print(out, json.loads(out.read_text().splitlines()[-1]), flush=True)


if __name__ == "__main__":
    main()
