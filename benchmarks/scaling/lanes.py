"""What serves one thing after another: network cards, cores. Only when, and for how long."""

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


class Lanes:
    """Resources; of each, what is ready first is served first, whatever it is for."""

    def __init__(self, resources: int) -> None:
        self._free_s = np.zeros(resources)

    def serve(self, where_k: Places, ready_k: Times, service_s: Times) -> Times:
        """When each of k things is done that is ready at a time; `service_s` by resource."""
        done_k = np.empty_like(ready_k)
        order = np.lexsort((ready_k, where_k))
        for mine in np.split(order, np.flatnonzero(np.diff(where_k[order])) + 1):
            if mine.size:
                at = where_k[mine[0]]
                free = np.maximum(ready_k[mine], self._free_s[at])
                done_k[mine] = queued(free, float(service_s[at]))
                self._free_s[at] = done_k[mine[-1]]
        return done_k

    def interrupt(self, where_k: Places, ready_k: Times, seconds: float) -> Times:
        """When each is done that is not kept waiting; all else there ends that much later."""
        np.add.at(self._free_s, where_k, seconds)
        return ready_k + seconds


def queued(ready_k: Times, service_s: float) -> Times:
    """When each is done, one after another: done_k = max(ready_k, done_{k-1}) + service.

    >>> queued(np.array([0.0, 0.0, 5.0]), 2.0).tolist()
    [2.0, 4.0, 7.0]
    """
    before_k = service_s * np.arange(ready_k.size)
    return np.maximum.accumulate(ready_k - before_k) + before_k + service_s
