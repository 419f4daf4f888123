"""How long a process of DDP takes for its gradients, and how it takes longer."""

import time

from torch import Tensor

# torch.distributed has it too, but its annotations do not say so.
from torch._C._distributed_c10d import GradBucket
from torch.distributed import ProcessGroup
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.futures import Future


class Pace:
    """Measures gradients bucket by bucket, and makes each take so many times as long.

    It takes the place of what DDP does by itself with a bucket that is ready: averages it, while
    the backward pass goes on.
    """

    def __init__(self, times: float) -> None:
        self.spent_s = 0.0
        self.worked_s = 0.0
        self._times = times
        self.begin()

    def begin(self) -> None:
        """A gradient begins, or what of it comes after a bucket."""
        self._since_s, self._worked_then_s = time.perf_counter(), time.thread_time()

    def averaged(self, group: ProcessGroup, bucket: GradBucket) -> Future[Tensor]:
        """What DDP calls with a bucket of gradients."""
        # Asleep it takes no core from others, as a device that is slow would not.
        time.sleep((self._times - 1) * (time.perf_counter() - self._since_s))
        self.spent_s += time.perf_counter() - self._since_s
        self.worked_s += time.thread_time() - self._worked_then_s
        future = allreduce_hook(group, bucket)
        self.begin()
        return future
