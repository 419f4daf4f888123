"""Models by name: what a server needs of one (no torch), and the objective of a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guanyu_mpi.errors import ConfigError, InvariantError, unknown
from guanyu_mpi.factories import is_factory
from guanyu_mpi.messages import Vector
from guanyu_mpi.models.analytic import AnalyticOptions
from guanyu_mpi.models.architecture import Architecture
from guanyu_mpi.models.cnnet import CNNET
from guanyu_mpi.models.device import CPU, Device
from guanyu_mpi.models.geman_mcclure import geman_mcclure_options
from guanyu_mpi.models.logistic import logistic_options
from guanyu_mpi.models.mlp import MLP, mlp
from guanyu_mpi.models.objective import BatchSource, Examples, Objective
from guanyu_mpi.models.parameters import dimension, initial_vector
from guanyu_mpi.models.quadratic import quadratic_options
from guanyu_mpi.models.resnet18 import RESNET18

if TYPE_CHECKING:
    from guanyu_mpi.models.classifier import Classifier

# Problems that are their own data, by what checks their options.
ANALYTIC: dict[str, Callable[[Mapping[str, object]], AnalyticOptions]] = {
    "geman-mcclure": geman_mcclure_options,
    "logistic": logistic_options,
    "quadratic": quadratic_options,
}
# Networks in the shape that they have without options; those that have some, by what reads them.
ARCHITECTURES = {"cnnet": CNNET, "mlp": MLP, "resnet18-gn": RESNET18}
SHAPED: dict[str, Callable[[Mapping[str, object]], Architecture]] = {"mlp": mlp}
MODELS = (*ANALYTIC, *ARCHITECTURES)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What is known of a model without computing a gradient."""

    name: str
    dimension: int
    # Without data there is no [data] to load: the problem is in the options and the seed.
    needs_data: bool
    # (C, H, W) where the model takes nothing else; None where only trying shows it.
    image_shape: tuple[int, int, int] | None
    # theta_0 (d,): equal on every rank, a fresh vector with every call.
    initial_params: Callable[[], Vector]
    # Floating-point operations of one example's gradient, where they are known.
    gradient_operations: int | None = None


def describe(name: str, options: Mapping[str, object], seed: int) -> ModelSpec:
    """Dimension and initial parameters of a model; imports torch for a user's model only."""
    if is_factory(name):
        return _describe_module(name, options, seed)
    _check_built_in(name)
    if name in ANALYTIC:
        size = ANALYTIC[name](options).dimension
        return ModelSpec(name, size, False, None, lambda: np.zeros(size, np.float32))
    network = architecture(name, options)
    return ModelSpec(
        name,
        dimension(network.parameters),
        needs_data=True,
        image_shape=network.image_shape,
        initial_params=lambda: initial_vector(network.parameters, seed, name),
        gradient_operations=network.gradient_operations,
    )


def architecture(name: str, options: Mapping[str, object]) -> Architecture:
    """A built-in network in the shape that its options give it; raises ConfigError."""
    if name in SHAPED:
        return SHAPED[name](options)
    if options:
        raise ConfigError(
            f"model.options = {dict(options)}: model {name!r} has a fixed shape and takes none"
        )
    return ARCHITECTURES[name]


def objective(
    name: str,
    options: Mapping[str, object],
    seed: int,
    *,
    batches: BatchSource | None = None,
    test: Examples | None = None,
    weight_decay: float = 0.0,
    device: Device = CPU,
) -> Objective:
    """What a worker or the observer computes; `batches` and `test` unless it needs no data."""
    if name in ANALYTIC:
        if weight_decay:
            raise ConfigError(
                f"train.weight_decay = {weight_decay} would move the known optimum of model "
                f"{name!r}: must be 0"
            )
        return ANALYTIC[name](options).problem(seed)
    classifier = _classifier(name, options, seed, device)
    if batches is None or test is None:
        raise InvariantError(f"model {name!r} needs batches and a test split")
    from guanyu_mpi.models.classification import Classification  # noqa: PLC0415 - imports torch

    return Classification(classifier, batches, test, seed, weight_decay, device=device)


def _classifier(name: str, options: Mapping[str, object], seed: int, device: Device) -> Classifier:
    from guanyu_mpi.models.classifier import (  # noqa: PLC0415 - imports torch (D13)
        from_architecture,
        from_module,
    )

    if not is_factory(name):
        _check_built_in(name)
        return from_architecture(name, architecture(name, options), device.place())
    from guanyu_mpi.models.module import build_module  # noqa: PLC0415 - likewise

    return from_module(name, build_module(name, options, seed).to(device.place()))


def _describe_module(name: str, options: Mapping[str, object], seed: int) -> ModelSpec:
    from guanyu_mpi.models.module import (  # noqa: PLC0415 - imports torch (D13)
        build_module,
        flat_values,
    )

    values = flat_values(build_module(name, options, seed))
    return ModelSpec(name, values.size, True, None, initial_params=values.copy)


def _check_built_in(name: str) -> None:
    if name not in MODELS:
        raise ConfigError(unknown("model", name, MODELS))
