"""An experiment as its TOML file describes it: a base configuration, and axes of named changes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from guanyu_mpi.config import read_toml
from guanyu_mpi.errors import ConfigError, unknown

# A configuration, or a part of one, as TOML gives it.
Table: TypeAlias = Mapping[str, object]

KEYS = ("name", "about", "base", "how", "set", "axes")
# Parts of a run's name, which is also its folder's; '_' stands between the axes there.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")


class How(StrEnum):
    """How cells are run: the command of `guanyu` that each of them is."""

    SIMULATE = "simulate"
    LAUNCH = "launch"


@dataclass(frozen=True, slots=True)
class Description:
    """A file that was understood; `axes` are named changes by axis and name, in their order.

    `common` are changes of the base configuration for all cells.
    """

    name: str
    about: str
    how: How
    base: Table
    common: Table
    axes: Mapping[str, Mapping[str, Table]]


def read_description(path: Path) -> Description:
    """The description in a file; `base` is looked for beside it. Raises ConfigError."""
    raw = read_toml(path)
    faults = [f"{fault} ({path})" for fault in _faults(raw)]
    if faults:
        raise ConfigError(*faults)
    axes = {axis: dict(values.items()) for axis, values in _tables(raw.get("axes")).items()}
    return Description(
        name=str(raw["name"]),
        about=str(raw.get("about", "")),
        how=How(str(raw["how"])),
        base=read_toml(path.parent / str(raw["base"])),
        common=_table(raw.get("set")),
        axes={axis: _tables(values) for axis, values in axes.items()},
    )


def _faults(raw: Table) -> Iterator[str]:
    """What is wrong with a file, in the user's words."""
    for key in raw:
        if key not in KEYS:
            yield unknown("key", key, KEYS)
    yield from (_text_fault(raw, key) for key in ("name", "base", "how") if _text_fault(raw, key))
    if isinstance(raw.get("name"), str) and not NAME.fullmatch(str(raw["name"])):
        yield f"name = {raw['name']!r}: must be {_ALLOWED}"
    if isinstance(raw.get("how"), str) and raw["how"] not in list(How):
        yield f"how: {unknown('choice', str(raw['how']), [how.value for how in How])}"
    if not isinstance(raw.get("about", ""), str):
        yield f"about = {raw['about']!r}: must be a string, which has quotes in TOML"
    if not isinstance(raw.get("set", {}), dict):
        yield f"set = {raw['set']!r}: must be a table of sections and keys"
    yield from _axes_faults(raw.get("axes"))


_ALLOWED = "letters, digits, '.' and '-', of which the first is a letter or digit"


def _text_fault(raw: Table, key: str) -> str:
    wanted = {
        "name": "what the experiment is called",
        "base": "the configuration that the cells change, such as '../quickstart.toml'",
        "how": "'simulate' or 'launch'",
    }[key]
    if key not in raw:
        return f"{key} is missing: {wanted}"
    return "" if isinstance(raw[key], str) else f"{key} = {raw[key]!r}: must be {wanted}"


def _axes_faults(axes: object) -> Iterator[str]:
    if not isinstance(axes, dict) or not axes:
        yield "axes: there is none; [axes.rule] begins an axis, and each of its keys names changes"
        return
    for axis, values in axes.items():
        if not NAME.fullmatch(axis):
            yield f"axes: {axis!r} must be {_ALLOWED}"
        if not isinstance(values, dict) or not values:
            yield f"axes.{axis} = {values!r}: must be a table that is not empty"
            continue
        for name, changes in values.items():
            if not NAME.fullmatch(name):
                yield f"axes.{axis}: {name!r} must be {_ALLOWED}"
            if not isinstance(changes, dict):
                yield (
                    f"axes.{axis}.{name} = {changes!r}: must be a table of changes, "
                    "such as { run.seed = 2 }"
                )


def _table(value: object) -> Table:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> Mapping[str, Table]:
    return {name: _table(inner) for name, inner in _table(value).items()}
