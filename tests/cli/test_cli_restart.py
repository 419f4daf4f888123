"""What a restart will do, told before it does it; and what it does after things have changed."""

from pathlib import Path

import pytest
from cli_runs import guanyu, write_config

from guanyu_mpi import launch
from guanyu_mpi.checkpoint import path_of, read, scan
from guanyu_mpi.launch import Verdict
from guanyu_mpi.transport import library
from guanyu_mpi.transport.library import Family, Library


@pytest.fixture(autouse=True)
def open_mpi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without loading a real one."""
    monkeypatch.setattr(library, "library_in_use", lambda: Library(Family.OPEN_MPI, "5.0.11"))


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Jobs that would have been started."""
    started: list[str] = []

    def start(*_: object) -> Verdict:
        started.append("job")
        return Verdict(finished=True, done=(), launcher_status=0)

    monkeypatch.setattr(launch, "launch", start)
    return started


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run of 12 steps, which are saved."""
    path = tmp_path / "run"
    assert guanyu("simulate", write_config(tmp_path), "--run-dir", path).exit_code == 0
    return path


def planned(tmp_path: Path, run_dir: Path, *options: str) -> list[str]:
    result = guanyu("check", tmp_path / "tiny.toml", "--run-dir", run_dir, *options)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    (first,) = [k for k, line in enumerate(lines) if line.startswith("a restart ")]
    return lines[first:]


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def spoil(run_dir: Path, servers: range) -> None:
    """Of these servers no file is valid."""
    for server in servers:
        for step in scan(run_dir / "checkpoints")[server]:
            path_of(run_dir / "checkpoints", server, step).write_bytes(b"torn")


def test_check_tells_that_a_new_run_begins_at_the_beginning(tmp_path: Path) -> None:
    write_config(tmp_path)
    assert planned(tmp_path, tmp_path / "none") == [
        "a restart begins at step 0: there are no checkpoints"
    ]
    assert not (tmp_path / "none").exists()


def test_check_tells_who_goes_on_with_what(tmp_path: Path, run_dir: Path) -> None:
    spoil(run_dir, range(1))
    before = contents(run_dir)
    assert planned(tmp_path, run_dir) == [
        "a restart begins at step 12: step 12 is held by servers 1, 2, 3, 4, 5: 5 of 6, 5 needed",
        "  with their own file: server 1, server 2, server 3, server 4, server 5",
        "  with the median of the holders': server 0",
    ]
    assert contents(run_dir) == before


@pytest.mark.parametrize(
    ("changes", "own", "median"),
    [
        (["cluster.servers=7"], 6, "server 6"),
        (["cluster.servers=3", "cluster.byzantine_servers=0"], 3, None),
        (["cluster.workers=9", "cluster.byzantine_workers=2"], 6, None),
    ],
)
def test_another_layout_goes_on_as_check_has_told(
    tmp_path: Path, run_dir: Path, changes: list[str], own: int, median: str | None
) -> None:
    options = [word for change in [*changes, "run.steps=15"] for word in ("--set", change)]
    lines = planned(tmp_path, run_dir, *options)
    names = ", ".join(f"server {server}" for server in range(own))
    assert lines == [
        "a restart begins at step 12: step 12 is held by servers 0, 1, 2, 3, 4, 5: "
        "6 of 6, 5 needed"
    ] + (
        [f"  with their own file: {names}", f"  with the median of the holders': {median}"]
        if median
        else []
    )
    result = guanyu("simulate", tmp_path / "tiny.toml", "--run-dir", run_dir, *options)
    assert result.exit_code == 0
    assert guanyu("evaluate", run_dir).stdout.startswith("step 15: ")


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("model.options={dimension=21}", "belongs to another run: 'quadratic, seed 3, "),
        ("model.name=logistic", "belongs to another run: 'quadratic, seed 3, "),
        ("run.seed=4", "belongs to another run: 'quadratic, seed 3, "),
        ("run.steps=9", "run.steps = 9 is before step 12, which the checkpoints in "),
    ],
)
@pytest.mark.parametrize("command", ["check", "simulate"])
def test_what_cannot_be_continued_is_refused_in_one_line(
    tmp_path: Path, run_dir: Path, command: str, option: str, reason: str
) -> None:
    before = contents(run_dir / "checkpoints")
    changes = {"model": {"options": {}}} if "logistic" in option else {}
    path = write_config(tmp_path, changes)
    result = guanyu(command, path, "--run-dir", run_dir, "--set", option)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert reason in line
    assert contents(run_dir / "checkpoints") == before


@pytest.mark.parametrize("command", ["check", "simulate"])
def test_checkpoints_say_themselves_whose_they_are(
    tmp_path: Path, run_dir: Path, command: str
) -> None:
    (run_dir / "config.toml").unlink()
    before = contents(run_dir / "checkpoints")
    result = guanyu(
        command,
        tmp_path / "tiny.toml",
        "--run-dir",
        run_dir,
        "--set",
        "model.options.dimension=21",
    )
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "belongs to another run: 'quadratic, seed 3, " in line
    assert contents(run_dir / "checkpoints") == before


def test_too_few_valid_checkpoints_are_told_file_by_file(tmp_path: Path, run_dir: Path) -> None:
    spoil(run_dir, range(4))
    before = contents(run_dir / "checkpoints")
    for command in ("check", "simulate"):
        result = guanyu(command, tmp_path / "tiny.toml", "--run-dir", run_dir)
        assert result.exit_code == 2
        lines = result.stderr.splitlines()
        assert lines[0] == (
            f"guanyu: {run_dir / 'checkpoints'}: no step can be restored: none is held validly "
            "by server_quorum = 5 servers, nor by 2f + 1 = 3"
        )
        for server in range(4):
            assert lines[1 + server].startswith(
                f"guanyu: server {server} holds nothing valid; step-000000012.h5 "
            )
        assert lines[5:7] == [f"guanyu: server {server} holds 12, 10, 5" for server in (4, 5)]
        assert lines[7] == (
            "guanyu: nothing was changed; --accept-fewer starts from the median of the 2 valid "
            "files of step 12, which liars may have made; --fresh with another --run-dir starts "
            "anew"
        )
    assert contents(run_dir / "checkpoints") == before


def test_launch_accepts_fewer_and_warns(
    tmp_path: Path, run_dir: Path, launches: list[str]
) -> None:
    spoil(run_dir, range(5))
    lie = read(path_of(run_dir / "checkpoints", 5, 12)).params
    result = guanyu("launch", tmp_path / "tiny.toml", "--run-dir", run_dir, "--accept-fewer")
    assert (result.exit_code, launches) == (0, ["job"])
    assert result.stderr.splitlines()[0] == (
        "warning: step 12 is the median of 1 file, of which byzantine_servers = 1 may have been "
        "made up: all of them may be lies; 3 are needed"
    )
    assert planned(tmp_path, run_dir)[0].startswith("a restart begins at step 12: ")
    for server in range(6):
        assert (read(path_of(run_dir / "checkpoints", server, 12)).params == lie).all()


def test_accepting_fewer_changes_nothing_where_enough_are_there(
    tmp_path: Path, run_dir: Path, launches: list[str]
) -> None:
    before = contents(run_dir / "checkpoints")
    result = guanyu("launch", tmp_path / "tiny.toml", "--run-dir", run_dir, "--accept-fewer")
    assert (result.exit_code, result.stderr, launches) == (0, "", ["job"])
    assert contents(run_dir / "checkpoints") == before
