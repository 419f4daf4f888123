"""How far each server's parameters are from the median of a quorum, look after look."""

from collections.abc import Mapping

from guanyu_mpi.cluster import Cluster, Node
from guanyu_mpi.episode import Episode, Stretch

# Farther than so many times what is usual is far. Honest servers differ by what their quorums of
# one step differed in: about as much as a step moves the parameters, not several times as much.
FAR = 4.0
# The first looks only show what is usual.
LEARNING_LOOKS = 2


class ServerDistances:
    """Follows the servers of a run; what is usual is the most that was seen of the near ones.

    At most f of m that are measured lie, so the (m - f)th distance is at most an honest one's;
    fewer than q - f are not looked at. Servers can be equal to the bit for long: how far a step
    moves the median counts as usual as well.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._byzantine = cluster.byzantine_servers
        self._enough = cluster.server_quorum - self._byzantine
        self._usual = 0.0
        self._looks = 0
        self._episodes: dict[Node, Episode] = {}

    def look(self, step: int, distances: Mapping[Node, float], moved: float) -> None:
        """Count the distances of a quorum; `moved` is how far the median went in one step."""
        if len(distances) < self._enough:
            return
        near = sorted(distances.values())[-1 - self._byzantine]
        self._usual = max(self._usual, moved, near)
        self._looks += 1
        if self._looks <= LEARNING_LOOKS:
            return
        for node, distance in distances.items():
            # Not so for NaN: who cannot be measured is not judged.
            far = distance > FAR * self._usual
            self._episodes.setdefault(node, Episode()).look(step, rejected=far, outlying=far)

    @property
    def far(self) -> dict[Node, float]:
        """In which part of the looks at a server it was far."""
        return {node: seen.rejected / seen.looks for node, seen in self._episodes.items()}

    @property
    def evident(self) -> dict[Node, Stretch]:
        """Servers that are far nearly always, and since when."""
        found = {node: episode.evident for node, episode in self._episodes.items()}
        return {node: stretch for node, stretch in found.items() if stretch}
