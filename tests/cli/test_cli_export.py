"""`guanyu export`: a model that goes on without this package."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runs import guanyu, write_config
from safetensors import SafetensorError, safe_open

from guanyu_mpi.checkpoint import path_of, read, scan
from guanyu_mpi.data import load

DIGITS: dict[str, dict[str, object]] = {
    "run": {"name": "digits", "steps": 4},
    "cluster": {"servers": 3, "byzantine_servers": 0, "workers": 3, "byzantine_workers": 0},
    "model": {"name": "mlp", "options": {}},
    "data": {"name": "mnist-small"},
    "checkpoint": {"every": 2},
}

# What somebody writes who has the file, torch and the images, and nothing of ours.
EVALUATE = """
import sys, torch
from torch import nn
assert "guanyu_mpi" not in sys.modules
kind, path, examples = sys.argv[1:]
if kind == "pt":
    state = torch.load(path, weights_only=True)
else:
    from safetensors.torch import load_file
    state = load_file(path)
net = nn.Sequential()
net.add_module("hidden", nn.Linear(784, 100))
net.add_module("relu", nn.ReLU())
net.add_module("logits", nn.Linear(100, 10))
net.load_state_dict(state)
images, labels = torch.load(examples, weights_only=True)
accuracy = (net(images.flatten(1)).argmax(1) == labels).float().mean()
print(f"{accuracy.item():.4f}")
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run that has learnt a little."""
    directory = tmp_path_factory.mktemp("export")
    config = write_config(directory, DIGITS)
    assert guanyu("simulate", config, "--run-dir", directory / "run").exit_code == 0
    return directory / "run"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    assert guanyu("simulate", write_config(tmp_path), "--run-dir", tmp_path / "run").exit_code == 0
    return tmp_path / "run"


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test images as a run sees them."""
    _, test = load("mnist-small")
    images, labels = test.take(np.arange(len(test)))
    path = tmp_path_factory.mktemp("images") / "test.pt"
    torch.save((torch.from_numpy(images), torch.from_numpy(labels)), path)
    return path


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_torch_alone_finds_the_accuracy_that_evaluate_tells(
    digits: Path, examples: Path, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / f"model.{kind}"
    result = guanyu("export", digits, target)
    assert (result.exit_code, result.stdout) == (0, f"wrote step 4 to {target}\n")
    assert sorted(tmp_path.iterdir()) == [target]
    found = subprocess.run(
        [sys.executable, "-c", EVALUATE, kind, str(target), str(examples)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    told = guanyu("evaluate", digits).stdout.strip()
    assert told.startswith("step 4: ")
    assert told.endswith(f"accuracy {found.stdout.strip()}")


def test_a_safetensors_file_says_what_it_is_of(digits: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    guanyu("export", digits, target)
    with safe_open(target, "pt") as file:
        assert file.metadata() == {"format": "pt", "run": "digits", "model": "mlp", "step": "4"}


def test_an_earlier_step_can_be_written(tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.pt"
    result = guanyu("export", tiny, target, "--step", "5")
    assert result.stdout == f"wrote step 5 to {target}\n"
    vectors = [read(path_of(tiny / "checkpoints", server, 5)).params for server in range(6)]
    saved = torch.load(target, weights_only=True)
    assert set(saved) == {"params"}
    assert saved["params"].numpy() == pytest.approx(np.median(vectors, axis=0), rel=1e-6)


def test_a_step_that_nobody_has_saved_is_refused(tiny: Path, tmp_path: Path) -> None:
    result = guanyu("export", tiny, tmp_path / "model.pt", "--step", "7")
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: {tiny / 'checkpoints'} holds no checkpoint of this run at step 7: "
        "there are 12, 10, 5\n"
    )


@pytest.mark.parametrize("name", ["model.onnx", "model", ".pt/model"])
def test_other_kinds_of_files_are_refused(tiny: Path, tmp_path: Path, name: str) -> None:
    result = guanyu("export", tiny, tmp_path / name)
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: {tmp_path / name} is neither a .pt nor a .safetensors file: "
        "its suffix says what is written\n"
    )


def test_a_file_is_replaced_only_by_force(tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.pt"
    target.write_text("precious")
    result = guanyu("export", tiny, target)
    assert result.exit_code == 2
    assert result.stderr == f"guanyu: {target} is there already: choose another file, or --force\n"
    assert target.read_text() == "precious"
    assert guanyu("export", tiny, target, "--force").exit_code == 0
    assert set(torch.load(target, weights_only=True)) == {"params"}


def test_a_folder_that_is_not_there_is_told(tiny: Path, tmp_path: Path) -> None:
    result = guanyu("export", tiny, tmp_path / "none" / "model.pt")
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: {tmp_path / 'none' / 'model.pt'}: there is no folder {tmp_path / 'none'}\n"
    )


def test_without_the_library_a_torch_file_can_still_be_written(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    result = guanyu("export", tiny, tmp_path / "model.safetensors")
    assert result.exit_code == 2
    assert "pip install 'guanyu_mpi[export]', or write a .pt file" in result.stderr
    assert not list(tmp_path.glob("*model.safetensors"))
    assert guanyu("export", tiny, tmp_path / "model.pt").exit_code == 0


def test_a_safetensors_file_that_cannot_be_written_is_told_in_one_line(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_file(_: object, path: Path, **__: object) -> None:
        path.write_bytes(b"half a file")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", save_file)
    target = tmp_path / "model.safetensors"
    result = guanyu("export", tiny, target)
    assert result.exit_code == 2
    assert result.stderr == (
        f"guanyu: {target}: not written: I/O error: No space left on device (os error 28)\n"
    )
    assert not list(tmp_path.glob("*model.safetensors"))


def test_what_cannot_be_restored_is_not_written(tiny: Path, tmp_path: Path) -> None:
    for server, steps in scan(tiny / "checkpoints").items():
        for step in steps if server else ():
            path_of(tiny / "checkpoints", server, step).write_bytes(b"torn")
    result = guanyu("export", tiny, tmp_path / "model.pt")
    assert result.exit_code == 2
    assert "no step can be restored" in result.stderr
    assert not (tmp_path / "model.pt").exists()
