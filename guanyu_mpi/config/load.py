"""From a TOML file and overrides to a checked Config, or every fault of it at once."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

import tomli_w
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from guanyu_mpi.config.checks import CHECKS
from guanyu_mpi.config.sections import WITHOUT_DATA, WITHOUT_EFFECT_WITHOUT_DATA, Config
from guanyu_mpi.errors import ConfigError


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Config of a TOML file with `section.key=value` overrides; raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    for override in overrides:
        _apply(raw, override)
    try:
        return parse_config(raw)
    except ConfigError as error:
        raise ConfigError(*(f"{fault} ({path})" for fault in error.faults)) from error


def parse_config(raw: Mapping[str, object]) -> Config:
    """Check a configuration as TOML gives it; raises ConfigError with all faults."""
    faults: list[str] = []
    sections: dict[str, object] = {}
    for name, field in Config.model_fields.items():
        section = _section_type(field.annotation)
        if name not in raw and not field.is_required():
            sections[name] = field.get_default()
            continue
        try:
            sections[name] = section.model_validate(raw.get(name, {}))
        except ValidationError as error:
            faults += [_fault((name, *detail["loc"]), detail) for detail in error.errors()]
    faults += [_unknown_key((name,)) for name in raw if name not in Config.model_fields]
    for check in CHECKS:
        if all(name in sections for name in check.sections):
            faults += check.function(*(sections[name] for name in check.sections))
    if faults:
        raise ConfigError(*faults)
    return Config.model_validate(sections)


def config_toml(config: Config) -> str:
    """The configuration as TOML, with every default that has an effect written out."""
    unused = set(WITHOUT_EFFECT_WITHOUT_DATA if config.model.name in WITHOUT_DATA else ())
    resolved = config.model_dump(mode="json", exclude_none=True, exclude={"train": unused})
    return tomli_w.dumps(resolved)


def _apply(raw: dict[str, object], override: str) -> None:
    key, equals, value = override.partition("=")
    path = key.strip().split(".")
    if not equals or len(path) < 2 or not all(path):
        raise ConfigError(
            f"--set {override!r} is not of the form section.key=value, such as run.steps=100"
        )
    table = raw
    for part in path[:-1]:
        child = table.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override!r}: {part} is a value, not a section")
        table = child
    table[path[-1]] = _literal(value.strip())


def _literal(text: str) -> object:
    """A TOML value; a bare word, which TOML would want in quotes, is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _section_type(annotation: object) -> type[BaseModel]:
    """The section in an annotation, which may be optional."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    raise TypeError(f"{annotation} names no section")


def _fault(path: tuple[int | str, ...], detail: ErrorDetails) -> str:
    """One fault of pydantic in our words: what is wrong, the value, what is allowed."""
    where = ".".join(str(part) for part in path)
    if detail["type"] == "extra_forbidden":
        return _unknown_key(path)
    if detail["type"] == "missing":
        known = len(path) == 1
        return f"[{where}] is missing" if known else f"{where} is missing"
    if detail["type"] == "string_pattern_mismatch":
        return f"{where} = {detail['input']!r}: letters, digits, '.', '_' and '-' only"
    allowed = detail["msg"].removeprefix("Input ")
    return f"{where} = {detail['input']!r}: {allowed}"


def _unknown_key(path: tuple[int | str, ...]) -> str:
    where = ".".join(str(part) for part in path)
    known = sorted(_known_keys(path))
    near = get_close_matches(str(path[-1]), known, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    what = "section" if len(path) == 1 else "key"
    return f"unknown {what} {where};{hint} known: {', '.join(known)}"


def _known_keys(path: tuple[int | str, ...]) -> Iterator[str]:
    section: type[BaseModel] = Config
    for part in path[:-1]:
        if isinstance(part, str):
            section = _section_type(section.model_fields[part].annotation)
    yield from section.model_fields
