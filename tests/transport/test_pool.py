"""Laws of the pool: a block is used again, and never while somebody still sees it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from guanyu_mpi.transport.pool import FramePool


def test_a_buffer_has_the_size_of_the_pool_and_can_be_written() -> None:
    frame = FramePool(64).lease()
    frame[:] = 7
    assert frame.dtype == np.uint8
    assert frame.tobytes() == b"\x07" * 64


def test_a_block_is_used_again_when_its_frame_is_gone() -> None:
    pool = FramePool(64)
    address = pool.lease().ctypes.data
    assert pool.lease().ctypes.data == address
    assert pool.num_blocks == 1


def test_a_block_is_not_used_again_while_its_frame_is_held() -> None:
    pool = FramePool(64)
    first, second = pool.lease(), pool.lease()
    assert not np.shares_memory(first, second)
    assert pool.num_blocks == 2


def test_a_view_of_a_view_keeps_the_block() -> None:
    pool = FramePool(64)
    vector = pool.lease()[32:].view("<f4")[2:]
    vector[:] = 3.0
    pool.lease()[:] = 0
    assert vector.tolist() == [3.0] * 6


def test_a_memoryview_keeps_the_block() -> None:
    pool = FramePool(64)
    buffer = pool.lease().data
    buffer[0] = 5
    pool.lease()[:] = 0
    assert buffer[0] == 5


def test_as_many_blocks_are_made_as_were_ever_held_at_once_however_many_are_leased() -> None:
    pool = FramePool(64)
    for _ in range(100):
        held = [pool.lease() for _ in range(3)]
        del held
    assert pool.num_blocks == 3


@settings(deadline=None)
@given(actions=st.lists(st.tuples(st.sampled_from("lvd"), st.integers(0, 99)), max_size=80))
def test_nobody_sees_what_another_writes_and_memory_is_the_most_held_at_once(
    actions: list[tuple[str, int]],
) -> None:
    pool = FramePool(32)
    # A view of each lease and the number that was written there; the frame itself is not kept.
    held: list[tuple[np.ndarray, int]] = []
    held_max = 0
    for number, (action, which) in enumerate(actions):
        if action == "l":
            # Leased before the last is dropped, as a transport does.
            frame = pool.lease()
            frame[:] = number
            held.append((frame, number))
            del frame
        elif held and action == "v":
            seen, written = held.pop(which % len(held))
            held.append((seen.view("u1")[len(seen) // 2 :], written))
            del seen
        elif held:
            held.pop(which % len(held))
        held_max = max(held_max, len(held))
        assert all((seen == written).all() for seen, written in held)
    assert pool.num_blocks <= held_max
