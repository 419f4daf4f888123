"""docs/configuration.md says what every key is, in the words of the code."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from guanyu_mpi.config import Config

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def keys(section: type[BaseModel], path: str = "") -> Iterator[tuple[str, str]]:
    """Every key below a section with its description."""
    for name, field in section.model_fields.items():
        inner = [kind for kind in _kinds(field.annotation) if issubclass(kind, BaseModel)]
        if inner:
            yield from keys(inner[0], f"{path}{name}.")
        else:
            yield f"{path}{name}", str(field.description)


def _kinds(annotation: object) -> list[type]:
    parts = [annotation, *getattr(annotation, "__args__", ())]
    return [part for part in parts if isinstance(part, type)]


def test_every_key_is_documented_in_the_words_of_the_code() -> None:
    text = DOCS.read_text(encoding="utf-8")
    described = dict(keys(Config))
    assert len(described) > 40
    missing = [key for key, says in described.items() if f"| `{key}` | {says} |" not in text]
    assert not missing


def test_no_key_is_documented_that_does_not_exist() -> None:
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    documented = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert documented == set(dict(keys(Config)))
