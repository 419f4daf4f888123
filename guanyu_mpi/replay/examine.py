"""Single steps of a server, rerun: who was in its quorums, and what the rules make of each."""

from collections.abc import Callable, Iterator
from pathlib import Path

from guanyu_mpi.checkpoint import path_of, read, scan
from guanyu_mpi.checkpoint.momentum import momentum_path, momentum_steps, read_momentum
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import Config
from guanyu_mpi.errors import CheckpointError, ConfigError
from guanyu_mpi.messages import Gradient, Update, Vector
from guanyu_mpi.models import describe
from guanyu_mpi.replay.archive import Archive, params_of
from guanyu_mpi.replay.items import Item, Kind
from guanyu_mpi.replay.rerun import Made, Rerun
from guanyu_mpi.replay.scores import estimates, scores
from guanyu_mpi.run_dir import checkpoint_dir


def examined(
    archive: Archive,
    run_dir: Path,
    bounds: tuple[int | None, int | None],
    server: int | None,
    say: Callable[[str], None],
) -> None:
    """Rerun the steps of one server, or of all, and say what happened in each.

    `bounds` are the first and the last of these steps, None for those of the run. Begins at the
    servers' last checkpoints before them, where they have kept any. Raises Unreproducible at the
    first vector that is not what it was.
    """
    servers, steps = _servers(archive, server), _steps(archive, *bounds)
    targets = [item for node in servers for step in steps for item in _items(archive, node, step)]
    if not targets:
        raise ConfigError(
            f"no trace tells of steps {steps.start} to {steps.stop - 1} of "
            + ", ".join(str(node) for node in servers)
        )
    saved = _saved(archive, checkpoint_dir(run_dir), steps.start)
    places = ", ".join(f"{item.node} at {item.step}" for item in sorted(saved))
    say(f"begins with the checkpoints of {places}" if saved else "begins at the beginning")
    saved |= _momenta(archive, checkpoint_dir(run_dir), steps.start)
    for made in Rerun(archive, saved).made(targets):
        for line in _told(archive, made):
            say(line)


def _servers(archive: Archive, server: int | None) -> tuple[Node, ...]:
    nodes = archive.configs[archive.lives[-1]].nodes
    if server is None:
        return nodes.nodes(Role.SERVER)
    if server >= nodes.servers:
        raise ConfigError(f"--server {server}: the run has servers 0 to {nodes.servers - 1}")
    return (Node(Role.SERVER, server),)


def _steps(archive: Archive, first: int | None, last: int | None) -> range:
    end = archive.configs[archive.lives[-1]].run.steps - 1
    first, last = first or 0, end if last is None else last
    if not first <= last <= end:
        raise ConfigError(f"--from {first} --to {last}: needs 0 <= from <= to <= {end}")
    return range(first, last + 1)


def _items(archive: Archive, server: Node, step: int) -> list[Item]:
    """What a server made in a step, in the newest life in which it was in that step."""
    for life in reversed(archive.lives):
        items = []
        if archive.taken(life, server, Gradient, step):
            items.append(Item(life, step, Kind.UPDATE, server))
        if archive.taken(life, server, Update, step):
            items.append(params_of(life, step + 1, server))
        if items:
            return items
    return []


def _saved(archive: Archive, root: Path, step: int) -> dict[Item, Vector]:
    """The newest readable checkpoint of each server that is not after a step."""
    saved: dict[Item, Vector] = {}
    for index, steps in scan(root).items():
        server = Node(Role.SERVER, index)
        for at in (at for at in steps if at <= step):
            life = archive.life_of(server, at)
            params = _params(path_of(root, index, at))
            if life is not None and params is not None:
                saved[params_of(life, at, server)] = params
                break
    return saved


def _momenta(archive: Archive, root: Path, step: int) -> dict[Item, Vector]:
    """What each worker that has momentum sent last before a step, where a file tells."""
    config = archive.configs[archive.lives[-1]]
    if not config.train.momentum:
        return {}
    dimension = describe(config.model.name, config.model.options, config.run.seed).dimension
    found: dict[Item, Vector] = {}
    for worker in config.nodes.nodes(Role.WORKER):
        for at in (at for at in momentum_steps(root, worker.index) if at <= step):
            sent = archive.averaged_until(worker, at)
            momentum = _vector(momentum_path(root, worker.index, at), dimension)
            if sent is not None and momentum is not None:
                found[sent] = momentum
                break
    return found


def _vector(path: Path, dimension: int) -> Vector | None:
    """What a file of momentum holds; a damaged one makes the way longer, too."""
    try:
        return read_momentum(path, dimension)[1]
    except CheckpointError:
        return None


def _params(path: Path) -> Vector | None:
    """What a checkpoint holds; a damaged one makes the way longer, and nothing else."""
    try:
        return read(path).params
    except CheckpointError:
        return None


def _told(archive: Archive, made: Made) -> Iterator[str]:
    """A quorum: of what, whose, and everyone's scores."""
    item, config = made.item, archive.configs[made.item.life]
    if made.quorum is None or made.combined is None:
        return
    yield f"life {item.life} step {made.quorum.step} {item.node}: {_what(archive, made, config)}"
    nodes = config.nodes
    gradients = item.kind is Kind.UPDATE
    f = nodes.byzantine_workers if gradients else nodes.byzantine_servers
    if gradients:
        yield f"  {estimates(made.quorum, made.combined, f)}"
    yield from scores(made.quorum, made.combined, f)


def _what(archive: Archive, made: Made, config: Config) -> str:
    item = made.item
    size = len(made.quorum.senders) if made.quorum else 0
    if item.kind is Kind.UPDATE:
        return f"gradients of {size} workers, combined by {config.aggregation.gradients}"
    taken = archive.taken(item.life, item.node, Update, item.step - 1)
    how = ", adopted without a vote of its own" if taken and taken.adopted else ""
    return f"updates of {size} servers, combined by {config.aggregation.models}{how}"
