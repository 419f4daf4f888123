"""The cells of an experiment: each combination of its axes, a whole checked configuration."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from guanyu_mpi.config import Config, is_section, parse_config
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.experiment.file import Description, How, Table, read_description

CELLS_MAX = 10_000
# A folder's name may have 255 bytes on most file systems.
NAME_MAX = 200
# Cells that a fault names.
NAMED_MAX = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of an experiment: its place, its name, and by axis the name of what it has there.

    `digest` is equal for configurations that say the same.
    """

    index: int
    name: str
    values: Mapping[str, str]
    config: Config
    digest: str


@dataclass(frozen=True, slots=True)
class Experiment:
    """What a file describes, checked; `axes` are the names along each axis."""

    name: str
    about: str
    how: How
    axes: Mapping[str, tuple[str, ...]]
    cells: tuple[Cell, ...]


def load_experiment(path: Path) -> Experiment:
    """The experiment of a file; raises ConfigError with the faults of all cells."""
    description = read_description(path)
    axes = {axis: tuple(values) for axis, values in description.axes.items()}
    number = math.prod(len(names) for names in axes.values())
    if number > CELLS_MAX:
        raise ConfigError(f"axes make {number} cells: at most {CELLS_MAX} ({path})")
    cells: list[Cell] = []
    faults: dict[str, list[str]] = defaultdict(list)
    for index, names in enumerate(product(*axes.values())):
        values = dict(zip(axes, names, strict=True))
        name = cell_name(values)
        try:
            config = _config(description, name, values)
        except ConfigError as error:
            for fault in error.faults:
                faults[fault].append(name)
            continue
        cells.append(Cell(index, name, values, config, digest(config)))
    if faults:
        raise ConfigError(*_told(faults, number, path))
    return Experiment(description.name, description.about, description.how, axes, tuple(cells))


def cell_name(values: Mapping[str, str]) -> str:
    """What the cell with these names along the axes, in their order, is called."""
    return "_".join(f"{axis}-{name}" for axis, name in values.items())


def merged(raw: Table, changes: Table, path: tuple[str, ...] = ()) -> dict[str, object]:
    """A configuration with changes in place: sections key by key, whatever is no section whole."""
    result = dict(raw)
    for key, value in changes.items():
        result[key], before, at = value, raw.get(key), (*path, key)
        if isinstance(before, dict) and isinstance(value, dict) and is_section(at):
            result[key] = merged(before, value, at)
    return result


def digest(config: Config) -> str:
    """Short text by which a configuration is known again.

    Only of what differs from the defaults: a key that a later version adds changes nothing.
    """
    meaning = config.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:16]


def _config(description: Description, name: str, values: Mapping[str, str]) -> Config:
    raw = merged(description.base, description.common)
    for axis, value in values.items():
        raw = merged(raw, description.axes[axis][value])
    if len(name) > NAME_MAX:
        raise ConfigError(f"a cell's name is too long: {len(name)} characters, at most {NAME_MAX}")
    config = parse_config(merged(raw, {"run": {"name": name}}))
    if config.faults.inject and description.how is How.SIMULATE:
        raise ConfigError(
            "faults.inject: faults strike real processes only, and a simulation has none; "
            'use how = "launch", or set faults.inject = []'
        )
    return config


def _told(faults: Mapping[str, Sequence[str]], number: int, path: Path) -> Iterator[str]:
    """Each fault once, with the cells that have it."""
    for fault, names in faults.items():
        named = ", ".join(names[:NAMED_MAX]) + (", ..." if len(names) > NAMED_MAX else "")
        which = "all cells" if len(names) == number else f"{len(names)} of {number} cells: {named}"
        yield f"{fault} ({path}, {which})"
