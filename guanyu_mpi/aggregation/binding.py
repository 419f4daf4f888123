"""A rule, and what is done before it, bound to n and f: checked once, then used at every step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast, overload

import numpy as np

from guanyu_mpi.aggregation.arrays import Array, NonFiniteRowsError, Row
from guanyu_mpi.aggregation.gathering import Gathering, Unprepared, WithMiddles, WithProducts
from guanyu_mpi.aggregation.kernels import Kernels, default_kernels
from guanyu_mpi.aggregation.points import Points
from guanyu_mpi.aggregation.preaggregation import PRE
from guanyu_mpi.aggregation.rules import RULES, Forehand, OptionFault, Rule
from guanyu_mpi.errors import ConfigError, unknown
from guanyu_mpi.messages import Vector

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Aggregator:
    """A rule for n vectors of which f may be Byzantine, after the pre-aggregations named."""

    name: str
    n: int
    f: int
    pre: tuple[str, ...] = ()
    pre_options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    # Kernels for numpy arrays; a tensor on a GPU has its own.
    kernels: Kernels[Vector] = field(default_factory=default_kernels)
    # Whether `gather` prepares while vectors arrive, which takes more time in all and leaves less
    # of it for the end: for who would only wait, and has a core that nobody else could use.
    ahead: bool = True

    @overload
    def __call__(self, vectors: Array, /) -> Array: ...
    @overload
    def __call__(self, vectors: "torch.Tensor", /) -> "torch.Tensor": ...

    def __call__(self, vectors: object, /) -> object:
        """Combine vectors (n, d) of numpy or torch, in sender order; the result (d,) is new.

        float32, float64 and, of torch, bfloat16 are taken, and the same type is returned. k rows
        with a NaN or an infinity prove their senders Byzantine: they are left out, and the rule
        combines the n - k others, of which f - k may be Byzantine. More than f such rows are a
        ValueError, as is an array of another shape or type.
        """
        if type(vectors).__module__.partition(".")[0] == "torch":
            # Whoever has a tensor has imported torch already (D13).
            from guanyu_mpi.aggregation.tensors import combine_tensor  # noqa: PLC0415

            return combine_tensor(self, cast("torch.Tensor", vectors))
        if not isinstance(vectors, np.ndarray) or vectors.dtype not in (np.float32, np.float64):
            kind = getattr(vectors, "dtype", type(vectors).__name__)
            raise ValueError(
                f"{self.name} combines numpy arrays of float32 or float64, or torch tensors: "
                f"got {kind}"
            )
        self.check_shape(vectors.shape)
        return self.combined(list(np.ascontiguousarray(vectors)), self.kernels)

    def check_shape(self, shape: Sequence[int]) -> None:
        """Refuse what is not n vectors."""
        if len(shape) != 2 or shape[0] != self.n:
            raise ValueError(
                f"{self.name} is bound to n = {self.n}: "
                f"needs shape ({self.n}, d), got {tuple(shape)}"
            )

    def gather(self) -> Gathering[Vector]:
        """A quorum of n numpy vectors, combined as they arrive or at once; they must be finite."""
        forehand = Forehand.PRODUCTS if self.pre else RULES[self.name].forehand
        combine = self._on_points(self.f)
        match forehand if self.ahead else Forehand.NOTHING:
            case Forehand.PRODUCTS:
                return WithProducts(self.n, self.kernels, combine)
            case Forehand.MIDDLES:
                return WithMiddles(self.n, self.kernels, combine)
            case Forehand.NOTHING:
                return Unprepared(self.kernels, combine)

    def combined(self, rows: Sequence[Row], kernels: Kernels[Row]) -> Row:
        """The rule on n rows (d,), finite or not, by kernels that know them."""
        if kernels.screens:
            # Kernels see a NaN when they read it: looking for one first would be a pass more.
            try:
                return self._on_points(self.f)(Points(rows, kernels))
            except NonFiniteRowsError:
                pass
        finite = kernels.finite(rows)
        usable = [row for row, is_finite in zip(rows, finite, strict=True) if is_finite]
        unusable = [int(k) for k in np.flatnonzero(~finite)]
        described = f"{len(unusable)} of {self.n} vectors are not finite, rows {unusable}"
        if len(unusable) > self.f:
            raise ValueError(f"{described}: more than the f = {self.f} that may be Byzantine")
        if not usable:
            raise ValueError(f"{described}: no vector is left to combine")
        return self._on_points(self.f - len(unusable))(Points(usable, kernels))

    def _on_points(self, f: int) -> Callable[[Points[Row]], Row]:
        """The rule and what comes before it as one function."""

        def combine(points: Points[Row]) -> Row:
            for name in self.pre:
                # Options have been checked against those that the functions have.
                points = PRE[name].function(points, f, **self.pre_options.get(name, {}))
            return RULES[self.name].function(points, f, **self.options)

        return combine


def bind(
    name: str,
    *,
    n: int,
    f: int,
    pre: Sequence[str] = (),
    pre_options: Mapping[str, Mapping[str, object]] | None = None,
    kernels: Kernels[Vector] | None = None,
    **options: object,
) -> Aggregator:
    """The rule of that name for n vectors of which f may be Byzantine; ConfigError if it cannot.

    `pre` names what is done to the vectors first, in that order, and `pre_options` its options;
    `kernels` chooses an implementation other than the fastest that is installed.

    >>> vectors = np.array([[1.0, 5.0], [2.0, 7.0], [np.inf, 0.0]])
    >>> bind("median", n=3, f=1)(vectors).tolist()
    [1.5, 6.0]
    """
    return bind_options(
        name, options, n=n, f=f, pre=pre, pre_options=pre_options or {}, kernels=kernels
    )


def bind_options(
    name: str,
    options: Mapping[str, object],
    *,
    n: int,
    f: int,
    pre: Sequence[str],
    pre_options: Mapping[str, Mapping[str, object]],
    kernels: Kernels[Vector] | None = None,
) -> Aggregator:
    """As `bind`, with options of any name, as a user may write them."""
    if name not in RULES:
        raise ConfigError(unknown("aggregation rule", name, RULES))
    faults = _pre_faults(pre, pre_options, n, f)
    if not faults:
        faults = _faults(name, RULES[name], _left(n, pre, pre_options), f, options)
    if faults:
        raise ConfigError(*faults)
    return Aggregator(name, n, f, tuple(pre), pre_options, options, kernels or default_kernels())


def _left(n: int, pre: Sequence[str], pre_options: Mapping[str, Mapping[str, object]]) -> int:
    """How many points the rule gets."""
    for name in pre:
        n = PRE[name].leaves(n, **pre_options.get(name, {}))
    return n


def _pre_faults(
    pre: Sequence[str], pre_options: Mapping[str, Mapping[str, object]], n: int, f: int
) -> list[str]:
    """Everything that is wrong with the pre-aggregations."""
    faults = [unknown("pre-aggregation", name, PRE) for name in pre if name not in PRE]
    twice = sorted({name for name in pre if pre.count(name) > 1})
    faults += [f"pre-aggregation {name!r} is there twice" for name in twice]
    unused = [name for name in pre_options if name not in pre]
    faults += [f"options of {name!r} have no effect: pre does not name it" for name in unused]
    for name in pre:
        if name in PRE:
            options = pre_options.get(name, {})
            missing = [option for option in PRE[name].required if option not in options]
            faults += [f"{name}: option {option!r} is missing" for option in missing]
            faults += _option_faults(name, PRE[name].options, options, n, f)
    return faults


def _faults(name: str, rule: Rule, n: int, f: int, options: Mapping[str, object]) -> list[str]:
    """Everything that is wrong with these numbers and options; options are judged by good ones."""
    if f < 0:
        return [f"{name}: f = {f} is negative"]
    least = rule.min_n(f)
    if n < least:
        formula = str(rule.min_n)
        bound = formula if formula == str(least) else f"{formula} = {least}"
        return [f"{name} needs n >= {bound} vectors to tolerate f = {f}: n = {n}"]
    return _option_faults(name, rule.options, options, n, f)


def _option_faults(
    name: str,
    known: Mapping[str, OptionFault],
    options: Mapping[str, object],
    n: int,
    f: int,
) -> list[str]:
    return [
        f"{name}: {fault}"
        for option, value in options.items()
        if (fault := _option_fault(known, option, value, n, f))
    ]


def _option_fault(
    known: Mapping[str, OptionFault], option: str, value: object, n: int, f: int
) -> str:
    if not known:
        return f"has no option {option!r}, nor any other"
    if option not in known:
        return unknown("option", option, known)
    return known[option](value, n, f)
