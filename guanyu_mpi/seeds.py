"""Independent random streams, each named by where it is used."""

import hashlib

import numpy as np


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """Random generator of the stream `path` of `seed`; equal arguments give equal streams.

    The path is hashed (SHA-256), so streams of different names are independent and none depends
    on how often another was used: a worker's batch of step t needs no state to be drawn again.
    """
    name = "/".join(f"{type(part).__name__}:{_escaped(part)}" for part in (seed, *path))
    key = hashlib.sha256(name.encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16], "little")))


def _escaped(part: str | int) -> str:
    # ("a", "b") and ("a/str:b",) are two paths.
    return str(part).replace("\\", r"\\").replace("/", r"\/")
