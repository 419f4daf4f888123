"""`guanyu check`: what a configuration means, before anything is started."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import guanyu, write_config

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.transport import library
from guanyu_mpi.transport.library import Family, Library


@pytest.fixture(autouse=True)
def open_mpi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without loading a real one, and with one thread, whoever runs the tests."""
    monkeypatch.setattr(library, "library_in_use", lambda: Library(Family.OPEN_MPI, "5.0.11"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_it_tells_algorithm_layout_traffic_and_memory(tmp_path: Path) -> None:
    result = guanyu("check", write_config(tmp_path))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "GuanYu: no rank is trusted (El-Mhamdi, Guerraoui, Guirguis 2019)",
        "servers: n = 6 >= 3f + 3 = 6, quorum 2f + 3 = 5 <= 5 <= n - f = 5",
        "workers: n = 6 >= 3f + 3 = 6, quorum 2f + 3 = 5 <= 5 <= n - f = 5",
        "13 ranks: servers 0-5, workers 6-11, observer 12",
        "attacking: nobody",
        "model quadratic: 20 parameters",
        "per step: 102 messages of 112 B, 11.2 KiB over all links; "
        "1.08 KiB to the observer every 4 steps",
        "per step and way: server 11 messages, 1.20 KiB; worker 6 messages, 672 B",
        "vectors per rank, at most: server 8.97 KiB, worker 4.48 KiB, observer 3.17 KiB",
        "operations per step: multi-krum of 5 gradients 1.1e+03, median of 5 models 240",
        "threads per rank: 1 (OMP_NUM_THREADS)",
        "Open MPI 5.0.11: survives wrong, malformed, late and missing messages, and ranks that "
        "die (mpirun --with-ft ulfm)",
    ]


def test_it_tells_a_single_trusted_server_apart(tmp_path: Path) -> None:
    path = write_config(tmp_path, {"cluster": {"servers": 1, "byzantine_servers": 0}})
    lines = guanyu("check", path).stdout.splitlines()
    assert lines[:3] == [
        "Byzantine-resilient SGD: one trusted server (Blanchard et al. 2017)",
        "workers: waits for 5 of 6, tolerates 1 Byzantine",
        "8 ranks: servers 0-0, workers 1-6, observer 7",
    ]


def test_it_tells_operations_where_they_are_known(tmp_path: Path) -> None:
    """A network's gradient of a batch; nothing of a rule that others come before."""
    changes: dict[str, dict[str, object]] = {
        "model": {"name": "mlp", "options": {}},
        "data": {"name": "mnist-small"},
        "train": {"batch_size": 2},
        "aggregation": {"gradients": "meamed", "pre": ["nnm"]},
    }
    (line,) = [
        line
        for line in guanyu("check", write_config(tmp_path, changes)).stdout.splitlines()
        if line.startswith("operations")
    ]
    # 2 images x (3 x 2 x 79,400 weights, without the 2 x 78,400 of the images' own gradient).
    assert line == (
        "operations per step: a worker's gradient 6.39e+05, median of 5 models 9.54e+05"
    )


def test_it_counts_what_spies_are_told(tmp_path: Path) -> None:
    """The gradients of 5 honest workers; without a spy 102 messages."""
    attack = {"workers": {"name": "ipm", "count": 1}}
    result = guanyu("check", write_config(tmp_path, {"attack": attack}))
    assert "per step: 107 messages of 112 B" in result.stdout


def test_it_names_the_attackers(tmp_path: Path) -> None:
    attack = {"workers": {"name": "mute", "count": 1}, "servers": {"name": "mute", "indices": [0]}}
    result = guanyu("check", write_config(tmp_path, {"attack": attack}))
    assert "attacking: server-00, worker-05" in result.stdout.splitlines()
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        (
            {"aggregation": {"gradients": "average"}},
            "aggregation.gradients = 'average' tolerates no Byzantine worker, whatever "
            "cluster.byzantine_workers says",
        ),
        (
            {"aggregation": {"models": "krum"}},
            "aggregation.models = 'krum': GuanYu's proof needs the median",
        ),
        (
            {"attack": {"workers": {"name": "mute", "count": 3}}},
            "attackers among the workers: 3, more than are tolerated: "
            "cluster.byzantine_workers = 1",
        ),
        (
            {"attack": {"servers": {"name": "mute", "indices": [0, 1]}}},
            "attackers among the servers: 2, more than are tolerated: "
            "cluster.byzantine_servers = 1",
        ),
    ],
)
def test_it_warns_of_what_the_theory_does_not_promise(
    tmp_path: Path, changes: dict[str, dict[str, object]], warning: str
) -> None:
    result = guanyu("check", write_config(tmp_path, changes))
    assert result.exit_code == 0
    assert result.stderr == f"warning: {warning}\n"


def test_the_average_is_right_where_nobody_is_byzantine(tmp_path: Path) -> None:
    changes = {
        "cluster": {"servers": 1, "byzantine_servers": 0, "byzantine_workers": 0},
        "aggregation": {"gradients": "average"},
    }
    assert guanyu("check", write_config(tmp_path, changes)).stderr == ""


def test_every_fault_is_a_line_on_stderr_and_the_status_is_2(tmp_path: Path) -> None:
    path = write_config(tmp_path, {"run": {"steps": 0}, "cluster": {"workers": 5}})
    result = guanyu("check", path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"guanyu: run.steps = 0: must be >= 1 ({path})",
        "guanyu: cluster.workers = 5 cannot tolerate byzantine_workers = 1: "
        f"needs at least 3f + 3 = 6 ({path})",
    ]


def test_a_config_that_is_not_there_is_wrong_input(tmp_path: Path) -> None:
    result = guanyu("check", tmp_path / "none.toml")
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: cannot read {tmp_path / 'none.toml'}: No such file or directory\n"
    )


def test_it_says_what_narrowing_saves(tmp_path: Path) -> None:
    """36 + 36 messages of 32 + 2 x 20 bytes and 30 of 32 + 4 x 20."""
    result = guanyu("check", write_config(tmp_path), "--set", "transport.wire_dtype=bfloat16")
    assert (
        "per step: 102 messages of 112 B, those to and from workers of 72 B (bfloat16), "
        "8.34 KiB over all links"
    ) in result.stdout


def test_it_says_what_contracting_seldom_saves(tmp_path: Path) -> None:
    """36 + 36 messages of 112 bytes, and 30 in every fourth step."""
    settings = ("--set", "train.contract_every=4", "--set", "checkpoint.every=4")
    result = guanyu("check", write_config(tmp_path), *settings)
    assert result.exit_code == 0, result.output
    assert "servers contract every 4 steps, and each goes on alone in between" in result.stdout
    assert "per step: 79.5 messages of 112 B, 8.70 KiB over all links" in result.stdout
    assert "per step and way: server 7.2 messages, 812 B; worker 6 messages" in result.stdout


def digits(directory: Path) -> Path:
    """A configuration of a model that torch computes."""
    changes = {"model": {"name": "mlp", "options": {}}, "data": {"name": "mnist-small"}}
    return write_config(directory, changes)


def test_it_tells_where_gradients_are_computed(tmp_path: Path) -> None:
    result = guanyu("check", digits(tmp_path), "--set", "device.autocast=true")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "device: cpu, bfloat16 autocast"


def test_a_gpu_that_is_not_there_is_wrong_input_and_all_else_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    asked = ("--set", "device.name=cuda")
    result = guanyu("check", digits(tmp_path), *asked)
    assert result.exit_code == 2
    assert "Open MPI 5.0.11: survives " in result.stdout
    assert "guanyu: device.name = 'cuda': torch " in result.stderr
    simulated = guanyu("simulate", digits(tmp_path), *asked)
    assert simulated.exit_code == 2
    assert simulated.stderr.splitlines()[-1] == result.stderr.splitlines()[-1]


def test_overrides_are_checked_too(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    good = guanyu("check", path, "--set", "cluster.workers=9", "--set", "run.seed=8")
    assert "16 ranks: servers 0-5, workers 6-14, observer 15" in good.stdout.splitlines()
    wrong = guanyu("check", path, "--set", "cluster.workers=5")
    assert wrong.exit_code == 2
    assert f"({path}, --set cluster.workers=5)" in wrong.stderr


def test_without_an_mpi_library_all_else_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Library:
        raise ConfigError("mpi4py finds no MPI library here")

    monkeypatch.setattr(library, "library_in_use", none)
    result = guanyu("check", write_config(tmp_path))
    assert result.exit_code == 2
    assert "13 ranks: " in result.stdout
    assert result.stderr == "guanyu: mpi4py finds no MPI library here\n"


def test_asking_for_the_library_does_not_initialise_it() -> None:
    """MPI_Init on a login node can hang, or be forbidden."""
    program = (
        "from guanyu_mpi.transport.library import library_in_use as used; used();"
        "from mpi4py import MPI; print(MPI.Is_initialized())"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "False\n"
