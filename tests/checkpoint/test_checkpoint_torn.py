"""Torn writes of a checkpoint of many blocks: whatever reached the disk, nothing wrong is read."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from checkpoint_runs import CLUSTER, IDENTITY

from guanyu_mpi.checkpoint import Checkpoint, FileError, Store, path_of, read
from guanyu_mpi.messages import Vector

BLOCK = 4096
# Not a multiple of a block, and large enough for a hundred of them.
DIMENSION = 100_003
SEED = 1
FLIPS = 300
STEP, EARLIER = 400, 390


def params_at(step: int) -> Vector:
    return np.random.default_rng(step).standard_normal(DIMENSION).astype(np.float32)


def written(root: Path, step: int) -> bytes:
    store = Store(root, 3, CLUSTER, dimension=DIMENSION, identity=IDENTITY, keep=2)
    store.write(step, params_at(step))
    return path_of(root, 3, step).read_bytes()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("sound"), STEP)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("earlier"), EARLIER)


@pytest.fixture
def path(tmp_path: Path, sound: bytes) -> Path:
    place = path_of(tmp_path, 3, STEP)
    place.parent.mkdir()
    place.write_bytes(sound)
    assert read(place, DIMENSION, IDENTITY).params.tobytes() == params_at(STEP).tobytes()
    return place


def overwrite(path: Path, offset: int, contents: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(contents)


def believed(path: Path) -> Checkpoint | None:
    """What is read of a file, or None where it is refused."""
    try:
        return read(path, DIMENSION, IDENTITY)
    except FileError as fault:
        assert fault.path == path
        return None


def test_a_file_cut_off_after_any_block_is_refused(path: Path, sound: bytes) -> None:
    sizes = range(0, len(sound), BLOCK)
    assert len(sizes) > 90
    for size in reversed(sizes):
        with path.open("r+b") as file:
            file.truncate(size)
        assert believed(path) is None, f"cut off after {size} bytes"


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(lambda _, block: bytes(len(block)), id="zeros"),
        pytest.param(lambda old, block: old[: len(block)], id="an earlier checkpoint"),
        pytest.param(lambda _, block: block[::-1], id="reversed"),
    ],
)
def test_a_block_that_never_reached_the_disk_is_noticed(
    path: Path, sound: bytes, earlier: bytes, stale: Callable[[bytes, bytes], bytes]
) -> None:
    assert len(earlier) == len(sound)
    for offset in range(0, len(sound), BLOCK):
        block = sound[offset : offset + BLOCK]
        found = stale(earlier[offset : offset + BLOCK], block)
        assert found != block
        overwrite(path, offset, found)
        assert believed(path) is None, f"the block at {offset} is not what was written"
        overwrite(path, offset, block)


def test_a_file_of_which_only_the_first_or_last_blocks_are_new_is_refused(
    path: Path, sound: bytes, earlier: bytes
) -> None:
    for offset in range(BLOCK, len(sound), BLOCK):
        for torn in (sound[:offset] + earlier[offset:], earlier[:offset] + sound[offset:]):
            path.write_bytes(torn)
            assert believed(path) is None, f"torn at {offset}"


def test_flipped_bits_of_the_params_are_refused(path: Path, sound: bytes) -> None:
    start = sound.index(params_at(STEP).tobytes())
    rng = Random(SEED)
    for _ in range(FLIPS):
        byte = start + rng.randrange(4 * DIMENSION)
        mask = rng.randrange(1, 256)
        overwrite(path, byte, bytes([sound[byte] ^ mask]))
        assert believed(path) is None, f"byte {byte} ^ {mask:#x}"
        overwrite(path, byte, sound[byte : byte + 1])


def test_flipped_bits_of_the_rest_are_refused_or_change_nothing(path: Path, sound: bytes) -> None:
    params = params_at(STEP).tobytes()
    start, header = sound.index(params), read(path, DIMENSION, IDENTITY).header
    rng = Random(SEED)
    rest = [*range(start), *range(start + len(params), len(sound))]
    num_refused = 0
    for byte in rng.sample(rest, FLIPS):
        overwrite(path, byte, bytes([sound[byte] ^ rng.randrange(1, 256)]))
        found = believed(path)
        num_refused += found is None
        # HDF5 leaves bytes of its own unused.
        if found:
            assert found.header == header, f"byte {byte}"
            assert found.params.tobytes() == params, f"byte {byte}"
        overwrite(path, byte, sound[byte : byte + 1])
    assert num_refused > 0
