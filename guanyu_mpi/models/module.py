"""The user's own torch.nn.Module, built alike on every rank and refused where it cannot be."""

from collections.abc import Mapping

import torch
from torch import nn

from guanyu_mpi.errors import ConfigError
from guanyu_mpi.factories import call_factory
from guanyu_mpi.messages import Vector
from guanyu_mpi.models.classifier import trainable
from guanyu_mpi.seeds import stream


def build_module(reference: str, options: Mapping[str, object], seed: int) -> nn.Module:
    """Call a model factory under a torch seed that is derived from the run's."""
    with torch.random.fork_rng():
        torch.manual_seed(int(stream(seed, "model", reference).integers(2**63)))
        module = call_factory("model", reference, options)
    if not isinstance(module, nn.Module):
        raise ConfigError(
            f"model {reference!r} returns {type(module).__name__}: must be a torch.nn.Module"
        )
    faults = _faults(module)
    if faults:
        raise ConfigError(*(f"model {reference!r}: {fault}" for fault in faults))
    return module


def flat_values(module: nn.Module) -> Vector:
    """The trainable parameters of a module as one vector (d,), a copy."""
    values: Vector = torch.cat([leaf.detach().reshape(-1) for leaf in trainable(module)]).numpy()
    return values


def _faults(module: nn.Module) -> list[str]:
    """What keeps a module from being trained as one flat vector of parameters."""
    parameters = dict(module.named_parameters())
    lazy = [name for name, leaf in parameters.items() if nn.parameter.is_lazy(leaf)]
    if lazy:
        return [f"parameter {lazy[0]!r} is lazy: its shape must be known when it is built"]
    faults = [
        f"parameter {name!r} is {leaf.dtype} on {leaf.device}: must be torch.float32 on cpu"
        for name, leaf in parameters.items()
        if leaf.dtype != torch.float32 or leaf.device.type != "cpu"
    ]
    if not any(leaf.requires_grad for leaf in parameters.values()):
        faults.append("it has no trainable parameters")
    buffers = [name for name, _ in module.named_buffers()]
    if buffers:
        faults.append(
            f"buffer {buffers[0]!r}: state outside the parameters (as BatchNorm's running "
            "statistics) is not covered by the theory; use GroupNorm, or a parameter with "
            "requires_grad=False for a constant"
        )
    return faults
