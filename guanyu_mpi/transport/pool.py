"""Receive buffers that are used again once nobody looks at them any more."""

import weakref

import numpy as np

from guanyu_mpi.transport.wire import Frame


class FramePool:
    """Leases buffers of one size; a buffer comes back when its last view is gone.

    Fresh memory costs a page fault per 4 KiB, which for large vectors takes longer than receiving
    them. Memory is bounded by the most frames that were ever held at once.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.num_blocks = 0
        self._free: list[Frame] = []

    def lease(self) -> Frame:
        """A buffer of `size_bytes` with undefined content."""
        if self._free:
            block = self._free.pop()
        else:
            # numpy's memory is in huge pages where there are some, which are sooner made.
            block = np.empty(self.size_bytes, np.uint8)
            self.num_blocks += 1
        # A new array per lease, which every view of it keeps alive, and none of them the block: so
        # when it dies the block can be used again.
        frame = np.frombuffer(block.data, np.uint8)
        weakref.finalize(frame, self._free.append, block)
        return frame
