"""How long to sleep when nothing has moved."""

import time

FIRST_S = 50e-6
GROWTH = 1.5
LONGEST_S = 2e-3


class Backoff:
    """Sleeps longer and longer while nothing moves, and not at all after something has."""

    def __init__(self) -> None:
        self._nap_s = 0.0

    def rest(self, *, moved: bool, receiving: bool) -> None:
        """Sleep, unless something has moved; a receive in flight needs polling to go on."""
        if moved:
            self._nap_s = 0.0
            return
        longer_s = max(self._nap_s * GROWTH, FIRST_S)
        self._nap_s = FIRST_S if receiving else min(longer_s, LONGEST_S)
        time.sleep(self._nap_s)
