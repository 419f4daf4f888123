"""A rank that tells what its start goes into: python -m staged_rank run CONFIG --run-dir RUN

It is the rank that `guanyu run CONFIG --run-dir RUN` is, and writes RUN/stages/PID.json once its
part of the first step is done: processor seconds by stage.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from guanyu_mpi.stand_in import stand_in

FOLDER = "stages"
IMPORTS = ("guanyu_mpi.cli", "guanyu_mpi.config", "guanyu_mpi.job")
# Where a function is found, its name there, and the stage that a call of it is.
CALLS = (
    ("guanyu_mpi.config", "load_config", "read the configuration"),
    ("guanyu_mpi.job", "_initialise", "MPI_Init"),
    ("guanyu_mpi.job", "_agree", "wait until all are ready"),
    ("guanyu_mpi.saves:Saves", "start", "checkpoints, or first parameters"),
    ("guanyu_mpi.data", "load", "load data"),
    ("guanyu_mpi.models", "objective", "build the model"),
    ("guanyu_mpi.job", "_take_part", "first step: messages, rules"),
    ("guanyu_mpi.node:Shell", "compute", "first step: gradient"),
)
# What a worker, a server and the observer tell of their first step.
TOLD = ("gradient", "commit", "observed")


class Stages:
    """Processor seconds of this process; every moment counts for the innermost stage."""

    def __init__(self) -> None:
        self._spent_s = {"start python, or be forked": time.process_time()}
        self._open = ["other"]
        self._since_s = time.process_time()
        self._written = False

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """What happens within is a stage."""
        self._count()
        self._open.append(stage)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def within(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose calls are a stage."""

        def called(*args: object, **named: object) -> object:
            with self.of(stage):
                return function(*args, **named)

        return called

    def write(self, folder: Path) -> None:
        """Write down all until now, once."""
        self._count()
        if self._written:
            return
        self._written = True
        folder.mkdir(exist_ok=True)
        beside = folder / f"{os.getpid()}.tmp"
        beside.write_text(json.dumps(self._spent_s), encoding="utf-8")
        beside.replace(beside.with_suffix(".json"))

    def _count(self) -> None:
        now_s, stage = time.process_time(), self._open[-1]
        self._spent_s[stage] = self._spent_s.get(stage, 0.0) + now_s - self._since_s
        self._since_s = now_s


def main() -> None:
    """Be the rank."""
    stages = Stages()
    for name in IMPORTS:
        with stages.of(f"import {name}"):
            import_module(name)
    for place, name, stage in CALLS:
        _replace(place, name, lambda function, stage=stage: stages.within(stage, function))
    _replace("guanyu_mpi.models", "objective", lambda function: _after_torch(stages, function))
    folder = Path(sys.argv[-1]) / FOLDER
    for name in TOLD:
        _replace("guanyu_mpi.journal:Journal", name, lambda tell: _writing(stages, folder, tell))
    import_module("guanyu_mpi.cli").main()


def _replace(
    place: str, name: str, by: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    module, _, owner = place.partition(":")
    found = import_module(module)
    found = getattr(found, owner) if owner else found
    setattr(found, name, by(getattr(found, name)))


def _after_torch(stages: Stages, function: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: object, **named: object) -> object:
        with stages.of("import torch"):
            import_module("torch")
        return function(*args, **named)

    return called


def _writing(stages: Stages, folder: Path, tell: Callable[..., Any]) -> Callable[..., Any]:
    def told(*args: object) -> None:
        stages.write(folder)
        tell(*args)

    return told


if __name__ == "__main__":
    stand_in()
    main()
