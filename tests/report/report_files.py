"""Run directories and experiments as their programs write them, made up in no time."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

from guanyu_mpi.config import Config, config_toml, parse_config
from guanyu_mpi.experiment import Folder, Record, Status
from guanyu_mpi.experiment.cells import cell_name
from guanyu_mpi.experiment.folder import Outline
from guanyu_mpi.experiment.record import write_whole
from guanyu_mpi.journal import observer_log, rank_log

HOSTILE = '<script>alert("x")</script>'


def config(steps: int = 100, **sections: object) -> Config:
    return parse_config(
        {
            "run": {"name": "made-up", "steps": steps},
            "cluster": {
                "servers": 6,
                "byzantine_servers": 1,
                "workers": 6,
                "byzantine_workers": 1,
            },
            "model": {"name": "quadratic"},
            "train": {"learning_rate": 0.1},
            "attack": {"workers": {"name": "reverse", "count": 1}},
            **sections,
        }
    )


def observation(step: int, **fields: object) -> dict[str, object]:
    return {
        "step": step,
        "time_s": step / 10,
        "loss": 2.0 / (1 + step),
        "accuracy": min(1.0, step / 100),
        "drift": 1e-3,
        "drift_alignment": 0.75,
        "margin": 1.5,
        "deviation": 0.2,
        "quorum": ["server-00"],
        "selected": {"worker-00": 1.0, "worker-05": 0.0},
        "far": {"server-00": 0.0, "server-05": 0.75},
        **fields,
    }


def commit(step: int, gradients: Sequence[str], updates: Sequence[str]) -> dict[str, object]:
    fields = {"gradients": list(gradients), "updates": list(updates)}
    return {"event": "commit", "time_s": step / 10, "step": step, **fields}


def write_events(path: Path, events: Iterable[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")


def write_run(
    run_dir: Path, *, steps: int = 100, seen: int = 100, pids: int = 1, lives: int = 1
) -> Path:
    """A run observed every ten steps; worker-05 is in no quorum after half of it.

    Its ranks are so many processes in each life, and those of each other ones.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.toml").write_text(config_toml(config(steps)), encoding="utf-8")
    write_events(observer_log(run_dir), map(observation, range(0, seen + 1, 10)))
    servers = [f"server-{index:02d}" for index in range(6)]
    workers = [f"worker-{index:02d}" for index in range(6)]
    for rank in range(12):
        begun = [
            {"event": "started", "time_s": 0.0, "pid": 100 * life + rank % pids, "host": "here"}
            for life in range(1, lives + 1)
        ]
        told = [
            commit(step, workers[1:] if step <= seen // 2 else workers[:5], servers[:5])
            for step in range(1, seen + 1)
        ]
        write_events(rank_log(run_dir, rank), [*begun, *(told if rank < 6 else [])])
    return run_dir


def record(values: Mapping[str, str], accuracy: float | None, **fields: object) -> Record:
    name = cell_name(values)
    usual = {
        "experiment": "made-up",
        "cell": name,
        "values": dict(values),
        "digest": name,
        "status": Status.FINISHED,
        "reason": "",
        "steps": 100,
        "step": 100,
        "accuracy": accuracy,
        "best_accuracy": accuracy,
        "loss": 0.5,
        "wall_s": 2.0,
        "lives": 1,
        "how": "simulate",
        "version": "0",
    }
    return Record(**{**usual, **fields})


def write_study(
    root: Path, axes: Mapping[str, Sequence[str]], accuracies: Mapping[tuple[str, ...], float]
) -> Folder:
    """An experiment of which the cells with an accuracy are done."""
    folder = Folder(root)
    made = [dict(zip(axes, names, strict=True)) for names in product(*axes.values())]
    cells = {record(values, None).cell: record(values, None).digest for values in made}
    shape = {axis: tuple(names) for axis, names in axes.items()}
    outline = Outline("made-up", "What was made up.", "simulate", shape, cells)
    write_whole(folder.outline_path, _json(outline))
    for values in made:
        if (accuracy := accuracies.get(tuple(values.values()))) is not None:
            result = record(values, accuracy)
            folder.write(result)
            write_events(
                observer_log(folder.run_dir(result.cell)),
                (observation(step, accuracy=accuracy * step / 100) for step in range(0, 101, 10)),
            )
    return folder


def _json(outline: Outline) -> bytes:
    fields = ("name", "about", "how", "axes", "cells")
    return json.dumps({field: getattr(outline, field) for field in fields}).encode()
