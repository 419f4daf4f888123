"""From a TOML file and overrides to a checked Config, or every fault of it at once."""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, time
from pathlib import Path

import tomli_w
from pydantic import ValidationError

from guanyu_mpi.config.checks import CHECKS
from guanyu_mpi.config.sections import WITHOUT_DATA, WITHOUT_EFFECT_WITHOUT_DATA, Config
from guanyu_mpi.config.wording import section_at, unknown_key, worded
from guanyu_mpi.errors import ConfigError


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Config of a TOML file with `section.key=value` overrides; raises ConfigError."""
    raw, overrides = read_toml(path), tuple(overrides)
    _override(raw, overrides)
    try:
        return parse_config(raw)
    except ConfigError as error:
        placed = (f"{fault} ({_where(fault, path, overrides)})" for fault in error.faults)
        raise ConfigError(*placed) from error


def parse_config(raw: Mapping[str, object]) -> Config:
    """Check a configuration as TOML gives it; raises ConfigError with all faults."""
    faults: list[str] = []
    sections: dict[str, object] = {}
    for name, field in Config.model_fields.items():
        if name not in raw and not field.is_required():
            sections[name] = field.get_default()
            continue
        try:
            sections[name] = section_at((name,)).model_validate(raw.get(name, {}))
        except ValidationError as error:
            faults += [worded((name, *detail["loc"]), detail) for detail in error.errors()]
    unknown = (name for name in raw if name not in Config.model_fields)
    faults += [unknown_key((name,), raw[name]) for name in unknown]
    for check in CHECKS:
        if all(name in sections for name in check.sections):
            faults += check.function(*(sections[name] for name in check.sections))
    if faults:
        # Two nodes that do not exist, say, are one fault if they have one name.
        raise ConfigError(*dict.fromkeys(faults))
    return Config.model_validate(sections)


def config_toml(config: Config) -> str:
    """The configuration as TOML, with every default that has an effect written out."""
    unused = set(WITHOUT_EFFECT_WITHOUT_DATA if config.model.name in WITHOUT_DATA else ())
    resolved = config.model_dump(exclude_none=True, exclude={"train": unused})
    return tomli_w.dumps(resolved)


def read_toml(path: Path) -> dict[str, object]:
    """What is in a TOML file; raises ConfigError."""
    try:
        # Some editors begin a file with a byte order mark, which TOML does not know.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    # Not only TOMLDecodeError: a text that is not UTF-8, a number with thousands of digits, or
    # thousands of brackets.
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


def _override(raw: dict[str, object], overrides: Iterable[str]) -> None:
    faults = [fault for override in overrides if (fault := _put(raw, override))]
    if faults:
        raise ConfigError(*faults)


def _put(raw: dict[str, object], override: str) -> str:
    """Put an override in its place; returns what is wrong with it, if anything is."""
    key, equals, value = override.partition("=")
    path = key.strip().split(".")
    if not equals or len(path) < 2 or not all(path):
        return f"--set {override!r} is not of the form section.key=value, such as run.steps=100"
    table = raw
    for part in path[:-1]:
        child = table.setdefault(part, {})
        if not isinstance(child, dict):
            return f"--set {override!r}: {part} is a value, not a section"
        table = child
    table[path[-1]] = _literal(value.strip())
    return ""


def _literal(text: str) -> object:
    """A TOML value; a bare word, which TOML would want in quotes, is a string."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = table["value"]
    # No key takes a date, but a run may be named after one.
    return text if len(table) > 1 or isinstance(value, date | time) else value


def _where(fault: str, path: Path, overrides: Iterable[str]) -> str:
    """The file, and the overrides of the keys that a fault names: either may be to blame."""
    named = [override for override in overrides if override.partition("=")[0].strip() in fault]
    return ", ".join([str(path), *(f"--set {override}" for override in named)])
