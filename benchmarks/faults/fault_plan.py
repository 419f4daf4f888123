"""Draws what happens in one run of the campaign: problem, who is hit, and by what.

Always within the bounds: at most f servers and f' workers are hit, by attacks, faults, or the cut
of their host's link. Run n is a pure function of the campaign's seed, its transport and n.
"""

from dataclasses import dataclass
from random import Random

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.faults.kinds import KINDS, SIGNALS

Config = dict[str, dict[str, object]]

# Run n is struck by the n-th kind at least, so that each has its share.
TURNS = tuple(KINDS)
STEPS = {"quadratic": 50, "mnist-small": 300}
# While a host is cut off and healed, the others must have something left to do.
STEPS_ON_HOSTS = 400
DIMENSIONS = (100, 100, 100, 20_000, 20_000, 100_000)
FAULTS_PER_NODE_MAX = 3
ATTACKS = ("reverse", "gaussian", "nan", "mute", "equivocate")


@dataclass(frozen=True, slots=True)
class Cut:
    """The link of a host is down for a while, which holds the server and worker of its number."""

    host: int
    after_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: its configuration, the nodes that may do what they like, and the cut, if any."""

    config: Config
    hit: frozenset[str]
    cut: Cut | None = None

    @property
    def faults(self) -> list[dict[str, object]]:
        """What is injected."""
        injected = self.config["faults"]["inject"]
        assert isinstance(injected, list)
        return injected

    @property
    def problem(self) -> str:
        """What has an error or accuracy of its own, and a memory of its own."""
        cluster, model = self.config["cluster"], self.config["model"]
        options = model.get("options")
        assert isinstance(options, dict)
        size = f", d = {options['dimension']}" if options else ""
        return f"{model['name']}{size}, {cluster['servers']} + {cluster['workers']}"


def draw(seed: int, transport: str, number: int) -> Plan:
    """The plan of one run."""
    rng = Random(f"{seed} {transport} {number}")
    config = _problem(rng, transport, number)
    cluster, run = config["cluster"], config["run"]
    bound, steps, nodes = cluster["byzantine_servers"], run["steps"], cluster["servers"]
    assert isinstance(bound, int)
    assert isinstance(steps, int)
    assert isinstance(nodes, int)
    cut = None
    if transport == "hosts":
        # A host holds one server and one worker, and a cut hits both.
        cut = Cut(rng.randrange(nodes), rng.uniform(0.0, 1.0), rng.uniform(0.5, 4.0))
        chosen = {"server": [cut.host], "worker": [cut.host]}
    else:
        chosen = _chosen(rng, bound, nodes)
    struck = _attacked(rng, config, chosen)
    turn = TURNS[number % len(TURNS)]
    faults: list[dict[str, object]] = []
    for turns, node in zip([turn, *[""] * len(struck)], struck, strict=False):
        faults += _faults(rng, node, turns, steps, nodes)
    config["faults"] = {"inject": faults}
    hit = {f"{role}-{index:02d}" for role, indices in chosen.items() for index in indices}
    return Plan(config, frozenset(hit), cut)


def fault_free(plan: Plan) -> Plan:
    """The same run, in which nothing happens to anybody."""
    config = {name: keys for name, keys in plan.config.items() if name != "attack"}
    return Plan({**config, "faults": {"inject": []}}, frozenset())


def _problem(rng: Random, transport: str, number: int) -> Config:
    digits = number % 10 == 9
    name = "mnist-small" if digits else "quadratic"
    larger = not digits and transport != "hosts" and rng.random() < 0.1
    nodes, bound = (9, 2) if larger else (6, 1)
    steps = STEPS_ON_HOSTS if transport == "hosts" and not digits else STEPS[name]
    config: Config = {
        "run": {"name": name, "steps": steps, "seed": 3},
        "cluster": {
            "servers": nodes,
            "byzantine_servers": bound,
            "workers": nodes,
            "byzantine_workers": bound,
        },
        "model": {"name": "mlp", "options": {}}
        if digits
        else {
            "name": "quadratic",
            "options": {"dimension": rng.choice(DIMENSIONS), "sigma": 0.01},
        },
        "train": {"learning_rate": 0.1, "batch_size": 32} if digits else {"learning_rate": 0.5},
        "checkpoint": {"every": 10},
        "observe": {"every": 10},
    }
    if digits:
        config["data"] = {"name": "mnist-small"}
    return config


def _chosen(rng: Random, bound: int, nodes: int) -> dict[str, list[int]]:
    """Up to the bound of each role, and somebody."""
    while True:
        chosen = {
            role: sorted(rng.sample(range(nodes), rng.randint(0, bound)))
            for role in ("server", "worker")
        }
        if any(chosen.values()):
            return chosen


def _attacked(rng: Random, config: Config, chosen: dict[str, list[int]]) -> list[str]:
    """Let some of the chosen attack; who is struck: the others, and of the attackers a few."""
    struck, attacks = [], {}
    for role, indices in chosen.items():
        attackers = [index for index in indices if rng.random() < 0.35]
        if attackers:
            attacks[f"{role}s"] = {"name": rng.choice(ATTACKS), "indices": attackers}
        struck += [
            f"{role}-{index}" for index in indices if index not in attackers or rng.random() < 0.4
        ]
    config["attack"] = {**attacks}
    # Somebody is struck in every run: without it, it says nothing of faults.
    anybody = [f"{role}-{index}" for role, indices in chosen.items() for index in indices]
    rng.shuffle(struck)
    return struck or [rng.choice(anybody)]


def _faults(rng: Random, node: str, turn: str, steps: int, nodes: int) -> list[dict[str, object]]:
    """A few faults of one node, at rising steps; at most one ends it, and that is the last."""
    role, _, index = node.partition("-")
    usual = [kind for kind in TURNS if KINDS[kind].strikes(Node(Role(role), int(index)))]
    others = rng.sample(usual, rng.randrange(FAULTS_PER_NODE_MAX))
    kinds = list(dict.fromkeys([turn if turn in usual else rng.choice(usual), *others]))
    ends = [kind for kind in kinds if KINDS[kind].ends][:1]
    kinds = [kind for kind in kinds if not KINDS[kind].ends] + ends
    at = sorted(rng.sample(range(2, max(3 * steps // 5, len(kinds) + 2)), len(kinds)))
    return [
        {"node": node, "step": step, "kind": kind, **_options(rng, kind, node, steps, nodes)}
        for step, kind in zip(at, kinds, strict=True)
    ]


def _options(rng: Random, kind: str, node: str, steps: int, nodes: int) -> dict[str, object]:
    if kind == "crash":
        by_signal = rng.random() < 0.7
        return {"signal": rng.choice(SIGNALS)} if by_signal else {"exit_code": rng.randrange(256)}
    drawn: dict[str, object] = {
        "duration_s": round(rng.uniform(0.2, 4.0), 2),
        "delay_ms": round(rng.uniform(5.0, 200.0), 1),
        "times": round(rng.uniform(2.0, 50.0), 1),
        "count": rng.randint(1, 5 * KINDS[kind].count),
        # Beyond the end of the run, or before its start, as often as not.
        "offset_steps": rng.choice([1, 2, 5, 2 * steps]),
        "bits": rng.randint(1, 64),
        "receivers": _receivers(rng, node, nodes),
    }
    chosen = {key: drawn[key] for key in KINDS[kind].options}
    if kind != "partial-send" and rng.random() < 0.7:
        chosen.pop("receivers", None)
    return chosen


def _receivers(rng: Random, node: str, nodes: int) -> list[str]:
    """Some of those that it sends to, one at least."""
    all_of = [f"server-{index}" for index in range(nodes)]
    if node.startswith("server"):
        all_of += [f"worker-{index}" for index in range(nodes)]
    others = [name for name in all_of if name != node]
    return sorted(rng.sample(others, rng.randint(1, len(others) // 2)))
