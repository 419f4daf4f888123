"""What the cost model says of clusters that do not fit here: up to 100 servers and 1,000 workers.

    python benchmarks/scaling/predict.py                    a minute; needs no idle machine

Nothing is measured: the assumed hosts are in lifts.py, and said in the table. Writes
prediction-DATE.md and prediction-DATE.png into --into.
"""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lifts import LIFTS, Site, combining_s, predicted_s
from scaling_plan import declared
from scaling_plot import draw_predicted

from guanyu_mpi.bench.markdown import markdown
from guanyu_mpi.cluster import Cluster, Role
from guanyu_mpi.costs import flow, memory
from guanyu_mpi.preflight import size
from guanyu_mpi.transport.wire import FRAME_BYTES_MAX, frame_bytes

SIZES = ((6, 18), (12, 36), (25, 100), (50, 300), (100, 1000))
# Seconds of a gradient on an accelerator: assumed, in proportion to d.
GRADIENTS_S = {1_750_000: 0.00175, 100_000_000: 0.1, 1_000_000_000: 1.0}
WALLS = ("what a server does in a step", "d", "seconds", "grows with")


def main() -> None:
    arguments = _arguments()
    site = Site()
    predicted = {
        dimension: {
            label: [
                predicted_s(declared(*sizes), dimension, gradient_s, design, site)
                for sizes in SIZES
            ]
            for label, design in LIFTS.items()
        }
        for dimension, gradient_s in GRADIENTS_S.items()
    }
    path = arguments.into / f"prediction-{datetime.now(UTC):%Y-%m-%d}.md"
    text = "\n".join(_lines(site, predicted))
    path.write_text(text + "\n", encoding="utf-8")
    print(text)
    titled = {f"d = {dimension:,}": lines for dimension, lines in predicted.items()}
    draw_predicted([workers for _, workers in SIZES], titled, path.with_suffix(".png"))


def _lines(site: Site, predicted: dict[int, dict[str, list[float]]]) -> Iterator[str]:
    yield f"# Up to 100 servers and 1,000 workers, as the cost model has it, {_today()}"
    yield ""
    yield f"- assumed, not measured: hosts of {site.cores} cores, {site.bandwidth / 1e9:.0f} GB/s"
    yield f"  each way, latency {1e6 * site.latency_s:.0f} us; a server has a host alone,"
    yield f"  {site.workers_per_host} workers share one; a gradient takes d / 1e9 seconds"
    yield "- quorums are 2f + 3 with the largest f; seconds per step; a line adds to those before"
    for dimension, lines in predicted.items():
        yield ""
        yield f"## d = {dimension:,}"
        yield from _limits(dimension)
        yield ""
        header = ("servers + workers", *(f"{servers} + {workers}" for servers, workers in SIZES))
        yield from markdown(header, [[label, *map(_seconds, row)] for label, row in lines.items()])
    yield ""
    yield "## What it is that takes so long: 100 servers, 1,000 workers"
    yield ""
    yield from markdown(WALLS, list(_walls(site)))


def _limits(dimension: int) -> Iterator[str]:
    """What does not fit at all."""
    cluster = declared(*SIZES[-1])
    held = memory(cluster, dimension)
    yield ""
    yield f"Of 100 + 1,000, a server keeps {size(held.server_bytes)} of vectors at most, a worker"
    yield f"{size(held.worker_bytes)}."
    if frame_bytes(dimension) > FRAME_BYTES_MAX:
        yield f"A message of {size(frame_bytes(dimension))} cannot be sent whole: MPI counts to"
        yield f"{size(FRAME_BYTES_MAX)} (docs/adr/0005). bfloat16 or shards make it fit."


def _walls(site: Site) -> Iterator[list[str]]:
    """The parts of a step, each as if it were alone."""
    cluster = declared(*SIZES[-1])
    for dimension in GRADIENTS_S:
        for what, seconds, growth in _parts(cluster, dimension, site):
            yield [what, f"{dimension:,}", _seconds(seconds), growth]


def _parts(cluster: Cluster, dimension: int, site: Site) -> Iterator[tuple[str, float, str]]:
    frame = frame_bytes(dimension)
    vectors = flow(cluster, Role.SERVER).received
    q_servers, q_workers = cluster.server_quorum, cluster.worker_quorum
    yield "receives gradients", cluster.workers * frame / site.bandwidth, "n' d"
    yield (
        "receives updates",
        (cluster.servers - 1) * frame / site.bandwidth,
        "n d, all of them n^2 d",
    )
    yield "looks for NaN, one thread", vectors * frame / site.read_per_s, "(n + n') d"
    multi_krum_s = combining_s("multi-krum", q_workers, dimension, site)
    yield f"Multi-Krum of {q_workers}, one thread", multi_krum_s, "q'^2 d"
    median_s = combining_s("median", q_workers, dimension, site)
    yield f"median of {q_workers} instead, one thread", median_s, "q' log^2 q' d"
    yield (
        f"median of {q_servers} models, one thread",
        combining_s("median", q_servers, dimension, site),
        "q log^2 q d",
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g}" if seconds < 1000 else f"{seconds:,.0f}"


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Predicts large clusters from the cost model.")
    parser.add_argument(
        "--into", type=Path, default=Path(__file__).parent, help="folder of results"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
