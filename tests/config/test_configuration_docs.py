"""docs/configuration.md says what every key is and what it is if absent, as the code has it."""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from guanyu_mpi.config import Config

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def keys(section: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key below a section."""
    for name, field in section.model_fields.items():
        inner = [kind for kind in _kinds(field.annotation) if issubclass(kind, BaseModel)]
        if inner:
            yield from keys(inner[0], f"{path}{name}.")
        else:
            yield f"{path}{name}", field


def row(key: str, field: FieldInfo) -> str:
    """What is written of a key; of one that may be absent without a default, no default."""
    if field.is_required():
        default = "required"
    else:
        value = field.get_default(call_default_factory=True)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        default = f"{value:g}" if number else json.dumps(value) if value not in _NOTHING else ""
    return f"| `{key}` | {default} | {field.description} |"


_NOTHING: tuple[object, ...] = (None, "", (), {})


def _kinds(annotation: object) -> list[type]:
    parts = [annotation, *getattr(annotation, "__args__", ())]
    return [part for part in parts if isinstance(part, type)]


def test_every_key_is_documented_in_the_words_of_the_code() -> None:
    rows = DOCS.read_text(encoding="utf-8").splitlines()
    described = dict(keys(Config))
    assert len(described) > 40
    assert not [wanted for key in described if (wanted := row(key, described[key])) not in rows]


def test_no_key_is_documented_that_does_not_exist() -> None:
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    documented = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert documented == set(dict(keys(Config)))
