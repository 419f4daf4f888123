"""What an adversarial scheduler can do next, and how it is written in a scenario file."""

from dataclasses import dataclass
from enum import Enum

from chaos_plan import node_of

from guanyu_mpi.cluster import Node


class Verb(Enum):
    """One thing that happens; links are a sender and a receiver."""

    DELIVER = "deliver"  # what is in flight on a link arrives
    COMPUTE = "compute"  # a worker's gradient is done
    PAUSE = "pause"  # a node does nothing more
    RESUME = "resume"
    CUT = "cut"  # nothing passes between these nodes and the others
    HEAL = "heal"
    DIE = "die"  # of an arrival's effects so many sends are performed, then the receiver is dead
    DROP = "drop"  # what a Byzantine or dead node has in flight on a link is lost
    ALTER = "alter"  # one byte of what a Byzantine node has in flight becomes another
    CLIP = "clip"  # what a Byzantine node has in flight is cut to so many bytes
    SAY = "say"  # a Byzantine node says anything at all: kind, step, value
    KILL = "kill"  # the whole job dies and is started again; checkpoints of some are damaged
    CALM = "calm"  # the faults stop


@dataclass(frozen=True, slots=True)
class Action:
    """A verb, the nodes that it is about, and what else it needs to know."""

    verb: Verb
    nodes: tuple[Node, ...] = ()
    numbers: tuple[float, ...] = ()

    def __str__(self) -> str:
        numbers = [f"{number:g}" for number in self.numbers]
        return " ".join([self.verb.value, *map(str, self.nodes), *numbers])


def action_in(line: str) -> Action:
    """The action that a line of a scenario file names."""
    verb, *words = line.split()
    names = [word for word in words if word.startswith(("server-", "worker-"))]
    numbers = tuple(float(word) for word in words[len(names) :])
    return Action(Verb(verb), tuple(map(node_of, names)), numbers)
