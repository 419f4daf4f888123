"""What a schedule is about: a cluster, who in it is hostile, and how often servers save.

A plan follows from a seed; a kept one is read from its scenario file instead.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import TypeAlias

from guanyu_mpi.cluster import Cluster, Node, Role

Table: TypeAlias = dict[str, object]

# Those that keep the result between honest vectors, and those that keep it near them.
BOXED = ("median", "trimmed-mean", "average")
NEAR = ("multi-krum", "krum")

# What an attacker's core is made to say; it may be made to say anything else on top.
ATTACKS = ("reverse", "gaussian", "nan", "mute", "equivocate", "none", "none", "none")

# Servers, f, workers, f' and how often; the larger ones take most of the time.
SIZES = (
    ((1, 0, 6, 1), 10),
    ((1, 0, 9, 2), 4),
    ((3, 0, 3, 0), 8),
    ((4, 0, 4, 0), 8),
    ((3, 0, 6, 1), 8),
    ((6, 1, 3, 0), 14),
    ((6, 1, 6, 1), 36),
    ((7, 1, 6, 1), 5),
    ((6, 1, 8, 1), 4),
    ((9, 2, 6, 1), 2),
    ((9, 2, 9, 2), 2),
    ((12, 3, 3, 0), 1),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """One schedule's setting; `attacks` names the Byzantine nodes and what their cores say.

    `events` may happen before the faults stop, and `quiet` tells whether the Byzantine nodes fall
    silent then, or go on as they are. `thorough` compares each quorum with its rule's one-shot.
    """

    seed: int
    cluster: Cluster
    dimension: int
    steps: int
    rate: float
    gar: str
    attacks: Mapping[Node, str]
    every: int
    keep: int
    events: int
    quiet: bool
    thorough: bool
    contract_every: int = 1

    @property
    def honest(self) -> list[Node]:
        """Everyone who takes part and is not Byzantine, by rank."""
        nodes = self.cluster.nodes(Role.SERVER) + self.cluster.nodes(Role.WORKER)
        return [node for node in nodes if node not in self.attacks]

    def table(self) -> Table:
        """The plan as a scenario file holds it."""
        attacks = {str(node): name for node, name in sorted(self.attacks.items())}
        names = ("seed", "dimension", "steps", "rate", "gar", "every", "keep", "events", "quiet")
        plain = {name: getattr(self, name) for name in (*names, "thorough", "contract_every")}
        return {**plain, "cluster": asdict(self.cluster), "attacks": attacks}


def plan_of(seed: int) -> Plan:
    """The plan of a seed."""
    random = Random(f"plan {seed}")
    sizes, weights = zip(*SIZES, strict=True)
    servers, f, workers, f_workers = random.choices(sizes, weights)[0]
    cluster = Cluster(
        servers,
        f,
        1 if servers == 1 else random.randint(2 * f + 3, servers - f),
        workers,
        f_workers,
        random.randint(2 * f_workers + 3, workers - f_workers),
    )
    assert not cluster.faults()
    steps = random.choice((2, 3, 3, 4, 4, 5, 8)) if servers < 9 else 3
    per_step = servers * (2 * workers + servers) + workers
    return Plan(
        seed,
        cluster,
        dimension=random.randint(1, 3),
        steps=steps,
        rate=random.choice((0.1, 0.5, 1.0)),
        gar=_rule(cluster, random),
        attacks=dict(_attackers(cluster, random)),
        every=random.choice((1, 1, 2)),
        keep=random.choice((1, 2)),
        events=random.randint(per_step // 2, per_step * steps),
        quiet=random.random() < 0.5,
        thorough=random.random() < 1 / 16,
    )


def seldom(plan: Plan, contract_every: int) -> Plan:
    """The same, of servers that contract every T steps, and of so many times as many steps."""
    factor = contract_every
    return replace(
        plan,
        contract_every=factor,
        steps=factor * plan.steps,
        every=factor * plan.every,
        events=factor * plan.events,
    )


def plan_in(table: Mapping[str, object]) -> Plan:
    """The plan that a scenario file holds."""
    rest = {key: value for key, value in table.items() if key not in ("cluster", "attacks")}
    cluster, attacks = table["cluster"], table["attacks"]
    assert isinstance(cluster, dict)
    assert isinstance(attacks, dict)
    named = {node_of(name): attack for name, attack in attacks.items()}
    return Plan(cluster=Cluster(**cluster), attacks=named, **rest)


def node_of(name: str) -> Node:
    """The node that is written so."""
    role, index = name.rsplit("-", 1)
    return Node(Role(role), int(index))


def _rule(cluster: Cluster, random: Random) -> str:
    if not cluster.byzantine_workers:
        return random.choice(("average", *BOXED, *NEAR))
    return random.choice(("median", "trimmed-mean", "trimmed-mean", *NEAR))


def _attackers(cluster: Cluster, random: Random) -> list[tuple[Node, str]]:
    """Most often as many as may be; the rest of them may die."""
    found = []
    for role in (Role.SERVER, Role.WORKER):
        most = cluster.byzantine(role)
        count = most if random.random() < 0.7 else random.randint(0, most)
        for node in sorted(random.sample(cluster.nodes(role), count)):
            found.append((node, random.choice(ATTACKS)))
    return found
