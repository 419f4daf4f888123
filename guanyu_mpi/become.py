"""What a fork of a process that has imported a program does to be that program, as if started."""

import runpy
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import numpy as np


def become(program: str, arguments: Sequence[str]) -> None:
    """Be `python -m program arguments`, with the environment and the streams that there are."""
    # As in any new process; Python sees to its own generator.
    np.random.seed()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    sys.argv[1:] = arguments
    runpy.run_module(program, run_name="__main__", alter_sys=True)
