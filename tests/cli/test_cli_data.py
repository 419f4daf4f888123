"""`guanyu data prepare`: where the official files come from, and where the data file goes."""

from pathlib import Path

import pytest
from cli_runs import guanyu

FROM_WHERE = "guanyu: say where the official files come from: --from PATH or --download\n"


def test_it_wants_to_know_where_the_official_files_are() -> None:
    result = guanyu("data", "prepare", "mnist")
    assert result.exit_code == 2
    assert result.stderr == FROM_WHERE


def test_it_does_not_take_two_sources(tmp_path: Path) -> None:
    result = guanyu("data", "prepare", "mnist", "--download", "--from", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == FROM_WHERE


def test_an_unknown_data_set_is_told_with_the_near_miss(tmp_path: Path) -> None:
    result = guanyu("data", "prepare", "mnits", "--from", tmp_path)
    assert result.exit_code == 2
    assert result.stderr == (
        "guanyu: unknown data set 'mnits'; did you mean 'mnist'? "
        "known: cifar10, mnist, mnist-small\n"
    )


def test_a_directory_without_the_official_files_is_told(tmp_path: Path) -> None:
    result = guanyu("data", "prepare", "cifar10", "--from", tmp_path, "--to", tmp_path / "new.h5")
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: {tmp_path} is no directory with cifar-10-binary.tar.gz of 'cifar10'\n"
    )
    assert not (tmp_path / "new.h5").exists()


def test_a_data_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mnist.h5"
    path.write_bytes(b"precious")
    result = guanyu("data", "prepare", "mnist", "--from", tmp_path, "--to", path)
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: {path} exists: remove it first, or choose another file with --to\n"
    )
    assert path.read_bytes() == b"precious"


def test_what_is_to_be_prepared_must_be_named() -> None:
    result = guanyu("data", "prepare")
    assert result.exit_code == 2
    assert "Missing argument 'NAME'" in result.stderr


@pytest.mark.parametrize("name", ["mnist", "cifar10", "mnist-small"])
def test_help_names_the_data_sets(name: str) -> None:
    assert name in guanyu("data", "prepare", "--help").stdout
