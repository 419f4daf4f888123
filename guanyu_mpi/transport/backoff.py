"""How long to sleep when nothing has moved."""

import time

FIRST_S = 50e-6
# Where ranks share cores, the others always have something better to do than to let this one look.
FIRST_SHARED_S = 1e-3
GROWTH = 1.5
# A short wait: what a message may be late because nobody looked.
SHORT_S = 2e-3
# A long wait may be answered this much later, in proportion; at most by the last figure. Looking
# costs a server of 25 ranks 0.1 ms: 500 looks a second by each would take half a core.
SHARE = 1 / 20
SHARED_SHARE = 1 / 10
LONGEST_S = 20e-3
# A message that has been arriving for longer may be that of a sender who has stopped in its midst.
RECEIVING_S = 5.0


class Backoff:
    """Sleeps longer and longer while nothing moves, and not at all after something has."""

    def __init__(self, *, own_core: bool = True) -> None:
        self._first_s = FIRST_S if own_core else FIRST_SHARED_S
        self._share = SHARE if own_core else SHARED_SHARE
        self._nap_s = 0.0
        self._waited_s = 0.0

    def rest(self, *, moved: bool, receiving: bool) -> None:
        """Sleep, unless something has moved; a receive in flight needs polling to go on."""
        if moved:
            self._nap_s = self._waited_s = 0.0
        else:
            time.sleep(self._next_nap_s(receiving=receiving))

    def _next_nap_s(self, *, receiving: bool) -> float:
        """Seconds of the next sleep, which then is taken to have been."""
        longest_s = min(max(SHORT_S, self._share * self._waited_s), LONGEST_S)
        longer_s = min(max(self._nap_s * GROWTH, self._first_s), longest_s)
        needs_polling = receiving and self._waited_s < RECEIVING_S
        self._nap_s = FIRST_S if needs_polling else longer_s
        self._waited_s += self._nap_s
        return self._nap_s
