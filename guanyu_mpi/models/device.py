"""Where a network's gradients are computed, and how.

Torch is imported to find out what there is, and where only the CPU is asked for not even then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from socket import gethostname
from typing import TYPE_CHECKING

from guanyu_mpi.cores import device as device_of
from guanyu_mpi.errors import ConfigError

if TYPE_CHECKING:
    import torch

NAME = re.compile(r"cpu|cuda(:\d{1,4})?|auto")


@dataclass(frozen=True, slots=True)
class Device:
    """A device by name, and what torch is to do there.

    "cuda" are all of a node's CUDA devices, which its ranks take in turn; "cuda:1" is one of them
    for all ranks; "auto" is "cuda" where there are some, else "cpu".
    """

    name: str = "cpu"
    local_rank: int = 0
    # Matrix products of a gradient in bfloat16, where torch holds that to be safe.
    autocast: bool = False
    # The forward and the backward pass by torch.compile.
    compile: bool = False

    def place(self) -> torch.device:
        """The device of this rank; raises ConfigError where it is not there."""
        import torch  # noqa: PLC0415 - servers need none (D13)

        count = 0 if self.name == "cpu" else torch.cuda.device_count()
        if self.name == "cpu" or (self.name == "auto" and not count):
            return torch.device("cpu")
        _, _, index = self.name.partition(":")
        chosen = int(index) if index else device_of(self.local_rank, count)
        if chosen is None or chosen >= count:
            found = f"cuda:0 to cuda:{count - 1}" if count else "no CUDA device"
            raise ConfigError(
                f"device.name = {self.name!r}: torch {torch.__version__} finds {found} on "
                f'{gethostname()}; use --set device.name=cpu, or "auto" for what there is'
            )
        return torch.device("cuda", chosen)

    def described(self) -> str:
        """What is there, for a person; raises what place() raises."""
        options = ", bfloat16 autocast" * self.autocast + ", torch.compile" * self.compile
        return f"device: {self._found()}{options}"

    def _found(self) -> str:
        if self.name == "cpu":
            return "cpu"
        import torch  # noqa: PLC0415 - as above

        place, count = self.place(), torch.cuda.device_count()
        if place.type == "cpu":
            return f"cpu: torch {torch.__version__} finds no CUDA device here"
        properties = torch.cuda.get_device_properties(place)
        turns = f", and {count - 1} more for other ranks" if ":" not in self.name else ""
        return f"{place}, {properties.name}, {properties.total_memory / 2**30:.0f} GiB{turns}"


CPU = Device()
