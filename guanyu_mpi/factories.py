"""The user's own parts, named "package.module:function" in a config."""

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from guanyu_mpi.errors import ConfigError

Factory = Callable[..., object]


def is_factory(name: str) -> bool:
    """A name with a colon is the user's own, any other is ours."""
    return ":" in name


def import_factory(what: str, reference: str) -> Factory:
    """Import what `reference` names; `what` (model, data, rule) is for the error only."""
    module_name, _, function_name = reference.partition(":")
    if not module_name or not function_name:
        raise ConfigError(f'{what} {reference!r} is not of the form "package.module:function"')
    try:
        module = import_module(module_name)
    # Whatever the user's module raises while it is imported is the user's to know.
    except Exception as error:
        raise ConfigError(
            f"{what} {reference!r}: module {module_name!r} cannot be imported "
            f"({type(error).__name__}: {error}); it must be installed or on PYTHONPATH"
        ) from error
    factory = getattr(module, function_name, None)
    if not callable(factory):
        wrong = "has no" if factory is None else "cannot call"
        raise ConfigError(
            f"{what} {reference!r}: module {module_name!r} {wrong} {function_name!r}"
        )
    return cast(Factory, factory)


def call_factory(what: str, reference: str, options: Mapping[str, object]) -> object:
    """Import a factory and call it with the options as keyword arguments."""
    factory = import_factory(what, reference)
    check_options(what, reference, factory, options)
    try:
        return factory(**options)
    # Likewise: a factory may raise anything, and the run cannot start without its result.
    except Exception as error:
        raise ConfigError(
            f"{what} {reference!r} failed: {type(error).__name__}: {error}"
        ) from error


def check_options(
    what: str, reference: str, factory: Factory, options: Mapping[str, object]
) -> None:
    """Refuse options that are not the factory's keyword arguments, before it is called."""
    try:
        signature = inspect.signature(factory)
    # Some callables written in C do not tell their arguments; calling them is the only check.
    except ValueError:
        return
    try:
        signature.bind(**options)
    except TypeError as error:
        raise ConfigError(
            f"{what} {reference!r} rejects {what}.options = {dict(options)}: {error}; "
            f"it takes {signature}"
        ) from error
