"""What bfloat16 on the wire costs: accuracy on real digits, and the time that rounding takes.

    python benchmarks/wire/accuracy.py [--steps 400] [--seeds 5] [--momentum 0.9]

Simulates GuanYu on mnist-small with 6 servers and 6 workers, attacked and not, by both types of
`transport.wire_dtype` from equal seeds, and prints tables in Markdown: 12,000 steps, about ten
minutes of one core.
"""

import argparse
import time
from collections.abc import Callable
from statistics import mean, median, stdev

import numpy as np

from guanyu_mpi.cluster import Role
from guanyu_mpi.config import Config, parse_config
from guanyu_mpi.messages import Gradient, Message
from guanyu_mpi.models import describe
from guanyu_mpi.preflight import traffic
from guanyu_mpi.simulation import simulate
from guanyu_mpi.transport.wire import Decoder, Element, encode

ATTACKS: dict[str, dict[str, object]] = {
    "nobody": {},
    "reverse": {
        "workers": {"name": "reverse", "count": 1},
        "servers": {"name": "reverse", "count": 1},
    },
    "alie": {"workers": {"name": "alie", "count": 1}},
}
# cnnet and resnet18-gn.
DIMENSIONS = (1_756_426, 11_173_962)
REPEATS = 9


def main() -> None:
    arguments = _arguments()
    print("| attacked by | wire | accuracy | its deviation | loss | bytes per step |")
    print("|---|---|---|---|---|---|")
    for attack, sections in ATTACKS.items():
        for element in Element:
            print(_row(attack, sections, element.name.lower(), arguments), flush=True)
    print("\n| parameters | wire | encode ms | decode ms |\n|---|---|---|---|")
    for dimension in DIMENSIONS:
        for element in Element:
            encoded_ms, decoded_ms = _rounding(dimension, element)
            name = element.name.lower()
            print(f"| {dimension:,} | {name} | {encoded_ms:.2f} | {decoded_ms:.2f} |", flush=True)


def _row(
    attack: str, sections: dict[str, object], wire: str, arguments: argparse.Namespace
) -> str:
    """Mean over the seeds of what is observed last."""
    accuracies, losses = [], []
    for seed in range(1, arguments.seeds + 1):
        config = _config(seed, sections, wire, arguments)
        seen = simulate(config).observation
        if seen is None or seen.accuracy is None:
            raise SystemExit(f"seed {seed}, {attack}, {wire}: nothing was observed")
        accuracies.append(seen.accuracy)
        losses.append(seen.loss)
    dimension = describe(config.model.name, {}, 1).dimension
    moved = traffic(config.nodes, dimension, config.transport.element).size_bytes
    deviation = stdev(accuracies) if len(accuracies) > 1 else float("nan")
    return (
        f"| {attack} | {wire} | {mean(accuracies):.4f} | {deviation:.4f} | {mean(losses):.4f} "
        f"| {moved:,} |"
    )


def _config(
    seed: int, sections: dict[str, object], wire: str, arguments: argparse.Namespace
) -> Config:
    return parse_config(
        {
            "run": {"name": "wire", "steps": arguments.steps, "seed": seed},
            "cluster": {"servers": 6, "byzantine_servers": 1}
            | {"workers": 6, "byzantine_workers": 1},
            "model": {"name": "mlp"},
            "data": {"name": "mnist-small"},
            "train": {"learning_rate": 0.1, "momentum": arguments.momentum},
            "transport": {"wire_dtype": wire},
            "attack": sections,
            "observe": {"every": arguments.steps},
        }
    )


def _rounding(dimension: int, element: Element) -> tuple[float, float]:
    """Milliseconds to make a frame and to open it, medians."""
    vector = np.random.default_rng(0).standard_normal(dimension, np.float32)
    decoder = Decoder(dimension, 2, narrowed=element)
    message = Gradient(0, vector)
    frame = encode(message, element)

    def opened() -> Message:
        return decoder.decode(frame, Role.WORKER, Role.SERVER)

    return _timed_ms(lambda: encode(message, element)), _timed_ms(opened)


def _timed_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start_s = time.perf_counter()
        work()
        times.append(time.perf_counter() - start_s)
    return 1e3 * median(times)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What bfloat16 on the wire costs.")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--momentum", type=float, default=0.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
