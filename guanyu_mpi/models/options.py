"""The options of a built-in problem, read one by one; what is wrong is told all at once."""

import sys
from collections.abc import Mapping

from guanyu_mpi.errors import ConfigError, unknown


class Options:
    """What the user has written under model.options, and the faults found so far.

    A faulty value is replaced by its default, so that reading goes on.
    """

    def __init__(self, model: str, values: Mapping[str, object], known: list[str]) -> None:
        self._values = values
        self._faults = [
            unknown(f"option of model {model!r}:", key, known)
            for key in values
            if key not in known
        ]

    def whole(self, key: str, default: int) -> int:
        """The whole number under a key, 1 at least."""
        value = self._values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.fault(f"model.options.{key} = {value!r}: must be a whole number, >= 1")
            return default
        return value

    def number(self, key: str, default: float) -> float:
        """The finite number under a key."""
        value = self._values.get(key, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            # Whole numbers too large for a float are compared with one, but not converted.
            or not abs(value) <= sys.float_info.max
        ):
            self.fault(f"model.options.{key} = {value!r}: must be a finite number")
            return default
        return float(value)

    def positive(self, key: str, default: float) -> float:
        """The finite number under a key, above 0."""
        value = self.number(key, default)
        if value <= 0:
            self.fault(f"model.options.{key} = {value}: must be > 0")
        return value

    def deviation(self, key: str, default: float) -> float:
        """The finite number under a key, 0 at least."""
        value = self.number(key, default)
        if value < 0:
            self.fault(f"model.options.{key} = {value}: must be >= 0")
        return value

    def fault(self, text: str) -> None:
        """Something else that is wrong."""
        self._faults.append(text)

    def check(self) -> None:
        """Raise ConfigError with all faults, if there are any."""
        if self._faults:
            raise ConfigError(*self._faults)
