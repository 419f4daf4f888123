"""Reading a configuration file, and overriding its keys from the command line."""

from pathlib import Path

import pytest
import tomli_w
from config_cases import BASE, raw_of

from guanyu_mpi.config import Config, load_config
from guanyu_mpi.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(tomli_w.dumps(BASE), encoding="utf-8")
    return path


def loaded(path: Path, *overrides: str) -> Config:
    return load_config(path, overrides)


def faults(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return list(caught.value.faults)


def test_a_fault_is_told_with_its_file(file: Path) -> None:
    file.write_text(tomli_w.dumps(raw_of({"run.steps": 0, "cluster.workers": 5})))
    assert faults(file) == [
        f"run.steps = 0: must be >= 1 ({file})",
        "cluster.workers = 5 cannot tolerate byzantine_workers = 1: "
        f"needs at least 3f + 3 = 6 ({file})",
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert faults(path) == [f"cannot read {path}: No such file or directory"]


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert faults(tmp_path) == [f"cannot read {tmp_path}: Is a directory"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[run", "Expected ']' at the end of a table declaration"),
        (b"[run]\nsteps = \n", "Invalid value (at line 2, column 9)"),
        (b"[run]\nname = quick\n", "Invalid value (at line 2, column 8)"),
        (b"[run]\n[run]\n", "Cannot declare ('run',) twice"),
        (b"[run]\nname = '\xff'\n", "'utf-8' codec can't decode byte 0xff"),
        (b"[run]\nsteps = " + b"9" * 5000 + b"\n", "Exceeds the limit"),
    ],
)
def test_a_file_that_is_not_toml_is_told_with_the_place(
    tmp_path: Path, text: bytes, said: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_bytes(text)
    (fault,) = faults(path)
    assert fault.startswith(f"{path} is not TOML: {said}")


def test_an_empty_file_lacks_every_required_key(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("")
    assert [fault.split(" is missing")[0] for fault in faults(path)] == [
        "run.name",
        "run.steps",
        "cluster.servers",
        "cluster.workers",
        "model.name",
        "train.learning_rate",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_of_any_editor_is_read(file: Path, encoding: str, newline: str) -> None:
    text = "# für später\n" + file.read_text(encoding="utf-8")
    file.write_text(text, encoding=encoding, newline=newline)
    assert loaded(file).run.name == "tiny"


def test_a_date_is_shown_as_it_was_written(file: Path) -> None:
    file.write_text(file.read_text().replace('"tiny"', "2026-01-31"))
    assert faults(file) == [
        f"run.name = 2026-01-31: must be a string, which has quotes in TOML ({file})"
    ]


@pytest.mark.parametrize(
    ("override", "seen"),
    [
        ("run.steps=7", lambda config: config.run.steps == 7),
        ("run.steps = 7", lambda config: config.run.steps == 7),
        ("train.learning_rate=1e-3", lambda config: config.train.learning_rate == 1e-3),
        ("run.name=other", lambda config: config.run.name == "other"),
        ('run.name="other"', lambda config: config.run.name == "other"),
        ("run.name='other'", lambda config: config.run.name == "other"),
        ("run.name=2026-01-31", lambda config: config.run.name == "2026-01-31"),
        ("run.name=007", lambda config: config.run.name == "007"),
        ("aggregation.gradients=krum", lambda config: config.aggregation.gradients == "krum"),
        ("simulation.slow={server-2 = 50}", lambda c: c.simulation.slow == {"server-2": 50.0}),
        ("simulation.slow.server-2=50", lambda c: c.simulation.slow == {"server-2": 50.0}),
        ("model.options.dimension=3", lambda config: config.model.options == {"dimension": 3}),
        (
            'attack.workers={name="mute", indices=[0, 2]}',
            lambda config: config.attack.workers.indices == (0, 2),
        ),
    ],
)
def test_an_override_sets_a_key(file: Path, override: str, seen: object) -> None:
    assert callable(seen)
    assert not seen(loaded(file))
    assert seen(loaded(file, override))


def test_overrides_make_sections_that_the_file_does_not_have(file: Path) -> None:
    config = loaded(file, "attack.servers.name=mute", "attack.servers.count=1")
    assert [str(node) for node in config.attackers] == ["server-05"]


def test_an_override_leaves_the_rest_of_its_section(file: Path) -> None:
    config = loaded(file, "run.steps=7")
    assert config.run.name == "tiny"


def test_of_two_overrides_of_a_key_the_last_counts(file: Path) -> None:
    assert loaded(file, "run.steps=7", "run.steps=8").run.steps == 8


@pytest.mark.parametrize("override", ["run.steps", "steps=7", "=7", "run.=7", ".steps=7", ""])
def test_an_override_of_another_form_is_told(file: Path, override: str) -> None:
    assert faults(file, override) == [
        f"--set {override!r} is not of the form section.key=value, such as run.steps=100"
    ]


def test_an_override_within_a_value_is_told(file: Path) -> None:
    assert faults(file, "run.name.first=x") == [
        "--set 'run.name.first=x': name is a value, not a section"
    ]


def test_all_overrides_that_are_wrong_are_told(file: Path) -> None:
    assert len(faults(file, "steps=7", "run.seed=5", "run.name.first=x")) == 2


def test_a_fault_of_an_override_is_told_with_it(file: Path) -> None:
    assert faults(file, "run.steps=many", "run.seed=5") == [
        f"run.steps = 'many': must be a whole number ({file}, --set run.steps=many)"
    ]


def test_a_fault_of_the_file_does_not_blame_an_override(file: Path) -> None:
    file.write_text(tomli_w.dumps(raw_of({"run.steps": 0})))
    assert faults(file, "run.seed=5") == [f"run.steps = 0: must be >= 1 ({file})"]


def test_an_override_cannot_smuggle_in_a_second_key(file: Path) -> None:
    (fault,) = faults(file, "run.steps=5\nname = 'other'")
    assert fault.startswith("run.steps = \"5\\nname = 'other'\": must be a whole number")
