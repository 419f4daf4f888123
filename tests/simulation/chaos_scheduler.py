"""What happens next, drawn from a seed: deliveries in changing weather, now and then a fault."""

from collections.abc import Callable
from random import Random

from chaos_action import Action, Verb
from chaos_links import Link
from chaos_world import World

from guanyu_mpi.cluster import Node, Role

# The share of faults among events, and for how many events links stay slow.
FAULT_SHARES = (0.02, 0.05, 0.12)
WEATHER_EVENTS = (20, 60, 200, 600)
# The share of schedules in which one node is slow, whatever the weather, and that is calm.
LAGGARDS = 0.3
CALM_EVENTS = 10_000
# The share of those in which the Byzantine servers talk to no server but that one.
FAVOURITES = 0.5

WEATHERS = ("calm", "into", "into", "out of", "some", "a phase")
ROLES = (Role.SERVER, Role.WORKER)
VALUES = (0.0, 1.0, -2.0, 5.0, 1e3, -1e6, 1e38, -1e38, float("nan"), float("inf"))


class Scheduler:
    """Draws one action after another; links that are held are used when there is nothing else."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._random = random = Random(f"schedule {seed}")
        self._nodes = sorted(world.shells)
        self._attackers = sorted(world.plan.attacks)
        self._order = random.choice(("any", "any", "any", "newest", "oldest"))
        self._fault_share = random.choice(FAULT_SHARES)
        self._weather_events = random.choice(WEATHER_EVENTS)
        self._kills = random.choice((0, 0, 0, 0, 1, 2))
        self._laggard = random.choice(self._nodes) if random.random() < LAGGARDS else None
        self._favourite = self._laggard if random.random() < FAVOURITES else None
        if self._laggard:
            # The others must get far ahead of it.
            self._fault_share, self._weather_events = FAULT_SHARES[0], CALM_EVENTS
        self._change_weather()

    def fault(self) -> Action | None:
        """A fault, if it is time for one; it may turn out to be impossible."""
        random = self._random
        if random.random() < 1 / self._weather_events:
            self._change_weather()
        if random.random() >= self._fault_share:
            return None
        return random.choice(_FAULTS)(self)

    def delivery(self) -> Action | None:
        """Something in flight arrives, or a gradient is done; None if nothing can."""
        pending = self._world.links.pending
        for _ in range(8):
            if not pending:
                return None
            link = self._draw(pending)
            if not link.closed and not link.slow:
                return self._arrival(link)
        able = [link for link in pending if not link.closed]
        fast = [link for link in able if not link.slow]
        if not fast and self._laggard and self._world.faulty and (relief := self.relief()):
            return relief
        return self._arrival(self._draw(fast or able)) if able else None

    def relief(self) -> Action | None:
        """What lets things go on when nothing can arrive."""
        if self._world.side:
            return Action(Verb.HEAL)
        paused = sorted(self._world.paused)
        return Action(Verb.RESUME, (self._random.choice(paused),)) if paused else None

    def _arrival(self, link: Link) -> Action:
        servers = link.sender.role is link.receiver.role is Role.SERVER
        if (
            self._favourite
            and servers
            and self._world.faulty
            and link.sender in self._world.plan.attacks
            and link.receiver != self._favourite
        ):
            return Action(Verb.DROP, link.nodes)
        return arrival(link)

    def _draw(self, links: list[Link]) -> Link:
        # Near one end of the list: the order in which they were sent, roughly.
        size, random = len(links), self._random
        match self._order:
            case "newest":
                return links[-1 - min(int(random.expovariate(0.5)), size - 1)]
            case "oldest":
                return links[min(int(random.expovariate(0.5)), size - 1)]
            case _:
                return links[int(random.random() * size)]

    def _change_weather(self) -> None:
        random = self._random
        few = set(random.sample(self._nodes, min(len(self._nodes), random.randint(1, 3))))
        sender, receiver = random.choice(ROLES), random.choice(ROLES)
        slow: Callable[[Link], bool] = {
            "calm": lambda _: False,
            "into": lambda link: link.receiver in few,
            "out of": lambda link: link.sender in few,
            "some": lambda _: random.random() < 0.3,
            "a phase": lambda link: (link.sender.role, link.receiver.role) == (sender, receiver),
        }["calm" if self._laggard else random.choice(WEATHERS)]
        for link in self._world.links.all():
            link.slow = slow(link) or link.receiver == self._laggard

    def _pause(self) -> Action:
        return Action(Verb.PAUSE, (self._random.choice(self._nodes),))

    def _resume(self) -> Action | None:
        paused = sorted(self._world.paused)
        return Action(Verb.RESUME, (self._random.choice(paused),)) if paused else None

    def _cut(self) -> Action:
        size = self._random.randint(1, len(self._nodes) // 2)
        return Action(Verb.CUT, tuple(sorted(self._random.sample(self._nodes, size))))

    def _heal(self) -> Action | None:
        return Action(Verb.HEAL) if self._world.side else None

    def _die(self) -> Action | None:
        link = self._link(
            lambda link: link.frame is not None and self._world.may_die(link.receiver)
        )
        return Action(Verb.DIE, link.nodes, (self._random.randint(0, 12),)) if link else None

    def _drop(self) -> Action | None:
        link = self._from_attacker()
        return Action(Verb.DROP, link.nodes) if link else None

    def _alter(self) -> Action | None:
        link = self._from_attacker()
        numbers = (self._random.randint(0, 39), self._random.randint(0, 255))
        return Action(Verb.ALTER, link.nodes, numbers) if link else None

    def _clip(self) -> Action | None:
        link = self._from_attacker()
        return Action(Verb.CLIP, link.nodes, (self._random.randint(0, 40),)) if link else None

    def _say(self) -> Action | None:
        if not self._attackers:
            return None
        random = self._random
        sender, receiver = random.choice(self._attackers), random.choice(self._nodes)
        if sender == receiver:
            return None
        kind = random.randrange(3) if random.random() < 0.1 else _kind(sender, receiver)
        near = self._world.shells[receiver].step + random.choice((-1, 0, 0, 0, 1, 1, 2))
        last = self._world.plan.steps - (kind != 0)
        step = random.choice((near, near, near, last, -1, last + 1))
        return Action(Verb.SAY, (sender, receiver), (kind, step, random.choice(VALUES)))

    def _kill(self) -> Action | None:
        if not self._kills or self._random.random() < 0.5:
            return None
        self._kills -= 1
        return Action(Verb.KILL, self._damaged(), (self._random.randrange(4),))

    def _damaged(self) -> tuple[Node, ...]:
        """Servers whose checkpoints are damaged: with the Byzantine ones at most f."""
        cluster = self._world.plan.cluster
        hostile = [node for node in self._attackers if node.role is Role.SERVER]
        spare = cluster.byzantine_servers - len(hostile)
        honest = [node for node in cluster.nodes(Role.SERVER) if node not in hostile]
        chosen = [node for node in hostile if self._random.random() < 0.6]
        return tuple(sorted(chosen + self._random.sample(honest, self._random.randint(0, spare))))

    def _from_attacker(self) -> Link | None:
        gone = {*self._attackers, *self._world.dead}
        return self._link(lambda link: link.sender in gone and link.frame is not None)

    def _link(self, wanted: Callable[[Link], bool]) -> Link | None:
        links = [link for link in self._world.links.pending if wanted(link)]
        return self._random.choice(links) if links else None


def arrival(link: Link) -> Action:
    """What is in flight arrives, or a worker's own gradient is done."""
    if link.frame is None:
        return Action(Verb.COMPUTE, (link.sender,))
    return Action(Verb.DELIVER, link.nodes)


def _kind(sender: Node, receiver: Node) -> int:
    """What the wire lets a node of this role say to that one, as an index of KINDS."""
    if sender.role is Role.WORKER:
        return 1
    return 2 if receiver.role is Role.SERVER else 0


# As often as they are listed.
_FAULTS = (
    Scheduler._pause,
    Scheduler._resume,
    Scheduler._cut,
    Scheduler._heal,
    Scheduler._die,
    Scheduler._drop,
    Scheduler._drop,
    Scheduler._alter,
    Scheduler._clip,
    Scheduler._say,
    Scheduler._say,
    Scheduler._say,
    Scheduler._say,
    Scheduler._kill,
)
