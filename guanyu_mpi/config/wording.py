"""What is wrong with the keys and values of a configuration, in the user's words."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from difflib import get_close_matches
from typing import TypeAlias, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from guanyu_mpi.config.sections import Config
from guanyu_mpi.errors import unknown

# Keys and, within arrays, positions, such as ("simulation", "partitions", 0, "nodes").
Path: TypeAlias = tuple[int | str, ...]

# Where else a misplaced key might belong: `name` is in nearly every section.
PLACES_MAX = 3

ALLOWED: Mapping[str, Callable[[Mapping[str, object]], str]] = {
    "int_type": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "string_type": lambda _: "must be a string, which has quotes in TOML",
    "greater_than": lambda limit: f"must be > {limit['gt']:g}",
    "greater_than_equal": lambda limit: f"must be >= {limit['ge']:g}",
    "less_than": lambda limit: f"must be < {limit['lt']:g}",
    "less_than_equal": lambda limit: f"must be <= {limit['le']:g}",
    "dict_type": lambda _: "must be a table of keys and values",
    "model_type": lambda _: "must be a table of keys and values",
    "tuple_type": lambda _: "must be an array, which has square brackets in TOML",
    "too_short": lambda _: "must not be empty",
    "string_pattern_mismatch": lambda _: (
        "must be letters, digits, '.', '_' and '-', of which the first is a letter or digit"
    ),
}


def worded(path: Path, detail: ErrorDetails) -> str:
    """One fault that pydantic has found: what is wrong, the value, what is allowed."""
    kind, where, value = detail["type"], dotted(path), detail["input"]
    if kind == "extra_forbidden":
        return unknown_key(path, value)
    if kind == "missing":
        description = str(_field(path).description).removesuffix(".")
        return f"{where} is missing: {description[:1].lower()}{description[1:]}"
    if kind == "literal_error":
        return f"{where}: {unknown('choice', str(value), get_args(_field(path).annotation))}"
    limits = detail.get("ctx", {})
    wording = ALLOWED.get(kind)
    allowed = wording(limits) if wording else detail["msg"].removeprefix("Input ")
    return f"{where} = {shown(value)}: {allowed}"


def unknown_key(path: Path, value: object) -> str:
    """A key or section that does not exist: the near miss, or where else a key of the name is."""
    known = sorted(section_at(path[:-1]).model_fields)
    name = str(path[-1])
    near = [repr(match) for match in get_close_matches(name, known, n=1)]
    near = near or sorted(_places(name))[:PLACES_MAX]
    hint = f" did you mean {' or '.join(near)}?" if near else ""
    what = "section" if len(path) == 1 and isinstance(value, dict) else "key"
    return f"unknown {what} {dotted(path)};{hint} known: {', '.join(known)}"


def dotted(path: Path) -> str:
    """The path as a user would write it: simulation.partitions[0].nodes."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def shown(value: object) -> str:
    """A value as TOML has it, or nearly so."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | time):
        return value.isoformat()
    return repr(value)


def section_at(path: Path) -> type[BaseModel]:
    """The type of the section that a path leads to."""
    section: type[BaseModel] = Config
    for part in path:
        if isinstance(part, str):
            section = _section_type(section.model_fields[part]) or section
    return section


def is_section(path: Path) -> bool:
    """Whether a path leads to a section that exists, and not to a value."""
    section: type[BaseModel] | None = Config
    for part in path:
        field = section.model_fields.get(str(part)) if section else None
        section = _section_type(field) if field else None
    return section is not None


def _section_type(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field is, maybe, or that its array holds; None if it is a value."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _field(path: Path) -> FieldInfo:
    return section_at(path[:-1]).model_fields[str(path[-1])]


def _places(name: str, above: Path = ()) -> Iterator[str]:
    """Where keys of this name are."""
    for key, field in section_at(above).model_fields.items():
        if _section_type(field):
            yield from _places(name, (*above, key))
        elif key == name:
            yield dotted((*above, key))
