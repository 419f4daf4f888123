"""Corrupted exchanges in Markdown: benchmarks/corruption/corruption_table.py DDP RUN_DIR.

DDP is the folder of replicas.py, RUN_DIR that of configs/experiments/corruption.toml. Accuracies
at the end are means over the seeds, of DDP those of the best and the worst replica. What DDP's
replicas are apart is the mean at the end, what servers are the median of all looks.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median

from guanyu_mpi.bench.markdown import markdown
from guanyu_mpi.report.study import Study, read_study

Looks = list[dict[str, object]]


def looks(folder: Path, kind: str) -> list[Looks]:
    """What replicas.py has written of one kind of corruption, seed by seed."""
    return [
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(folder.glob(f"{kind}-[0-9].jsonl"))
    ]


def _replicas(folder: Path, kind: str) -> tuple[str, str]:
    runs = looks(folder, kind)
    ends = [run[-1] for run in runs]
    if not all(math.isfinite(end["drift"]) for end in ends):
        gone = max(
            next(look["step"] for look in run if not math.isfinite(look["drift"])) for run in runs
        )
        return f"NaN, step {gone}", "-"
    best, worst = (mean(end["accuracy"][place] for end in ends) for place in (0, 1))
    return f"{best:.3f}, {worst:.3f}", f"{mean(end['drift'] for end in ends):.2g}"


def _servers(study: Study, kind: str, contraction: str) -> tuple[str, str]:
    values = {"contraction": contraction, "corruption": kind}
    records = [study.records[cell] for cell in study.cells(values)]
    if any(record.status != "finished" for record in records):
        return records[0].status.value, "-"
    # At the first look all are where they began.
    drifts = [look.drift for seen in study.histories(values) for look in seen.looks[1:]]
    return f"{mean(record.accuracy for record in records):.3f}", f"{median(drifts):.2g}"


def rows(folder: Path, study: Study) -> Iterator[list[str]]:
    """A line for each kind of corruption."""
    for kind in study.outline.axes["corruption"]:
        servers = [
            cell
            for contraction in study.outline.axes["contraction"]
            for cell in _servers(study, kind, contraction)
        ]
        yield [kind, *_replicas(folder, kind), *servers]


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ddp", type=Path)
    parser.add_argument("run_dir", type=Path)
    asked = parser.parse_args()
    study = read_study(asked.run_dir)
    contractions = [
        title
        for name in study.outline.axes["contraction"]
        for title in (f"GuanYu, {name}", "apart")
    ]
    header = ["", "DDP: best, worst", "apart", *contractions]
    print("\n".join(markdown(header, list(rows(asked.ddp, study)))))


if __name__ == "__main__":
    main()
