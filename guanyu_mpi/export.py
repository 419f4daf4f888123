"""The model of a run as a file that torch and others load without this package."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from guanyu_mpi.config import Config
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.models.state_dict import state_dict
from guanyu_mpi.saves import Start

Write: TypeAlias = Callable[[Mapping[str, Tensor], Mapping[str, str], Path], None]


def check_target(target: Path, *, force: bool) -> None:
    """Refuse a file of a kind that nobody can write, or that is there; raises ConfigError."""
    if target.suffix not in WRITERS:
        raise ConfigError(
            f"{target} is neither a .pt nor a .safetensors file: its suffix says what is written"
        )
    if not target.parent.is_dir():
        raise ConfigError(f"{target}: there is no folder {target.parent}")
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already: choose another file, or --force")


def export(config: Config, model: Start, target: Path) -> None:
    """Write the model of a step, whole or not at all; raises ConfigError."""
    section = config.model
    tensors = state_dict(section.name, section.options, config.run.seed, model.params)
    notes = {"run": config.run.name, "model": section.name, "step": str(model.step)}
    beside = target.with_name(f".writing-{os.getpid()}-{target.name}")
    try:
        WRITERS[target.suffix](tensors, notes, beside)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(target)
    # torch raises RuntimeError where it cannot write.
    except (OSError, RuntimeError) as fault:
        raise ConfigError(f"{target}: not written: {fault}") from fault
    finally:
        beside.unlink(missing_ok=True)


def _write_torch(tensors: Mapping[str, Tensor], notes: Mapping[str, str], path: Path) -> None:
    """A plain dict of tensors, because torch users load a model by weights_only=True.

    The package itself reads no such file.
    """
    del notes  # a state dict has room for tensors only
    torch.save(dict(tensors), path)


def _write_safetensors(
    tensors: Mapping[str, Tensor], notes: Mapping[str, str], path: Path
) -> None:
    try:
        from safetensors import SafetensorError  # noqa: PLC0415 - an extra, not always there
        from safetensors.torch import save_file  # noqa: PLC0415 - likewise
    except ImportError as fault:
        raise ConfigError(
            "a .safetensors file needs the library of that name: "
            "pip install 'guanyu_mpi[export]', or write a .pt file"
        ) from fault
    try:
        save_file(dict(tensors), path, metadata={"format": "pt", **notes})
    # Of no kind but Exception, which no caller expects.
    except SafetensorError as fault:
        raise OSError(str(fault)) from fault


WRITERS: Mapping[str, Write] = {".pt": _write_torch, ".safetensors": _write_safetensors}
