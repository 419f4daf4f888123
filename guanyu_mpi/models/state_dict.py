"""A vector of parameters as what torch calls a state dict: tensors by the names of a module's."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from guanyu_mpi.factories import is_factory
from guanyu_mpi.messages import Vector
from guanyu_mpi.models.catalogue import ANALYTIC, architecture
from guanyu_mpi.models.classifier import trainable
from guanyu_mpi.models.flat import FlatParameters
from guanyu_mpi.models.module import build_module


def state_dict(
    name: str, options: Mapping[str, object], seed: int, params: Vector
) -> dict[str, Tensor]:
    """The parameters (d,) of a model by name, each a tensor of its own.

    Of a user's module all that its state_dict() has, which load_state_dict() takes; of a
    built-in network its layers, weights with outputs first as torch.nn has them; of a problem
    without a network the vector itself, as "params".
    """
    if name in ANALYTIC:
        return {"params": torch.from_numpy(params.copy())}
    if is_factory(name):
        module = build_module(name, options, seed)
        np.copyto(FlatParameters(trainable(module)).values, params)
        return {key: tensor.detach().clone() for key, tensor in module.state_dict().items()}
    named = architecture(name, options).parameters
    parts = torch.split(torch.from_numpy(params), [parameter.size for parameter in named])
    return {
        parameter.name: part.reshape(parameter.shape).clone()
        for parameter, part in zip(named, parts, strict=True)
    }
