"""Whether a run, rerun from its trace, arrives at the parameters that its servers have saved."""

from collections.abc import Callable
from pathlib import Path

from guanyu_mpi.checkpoint import path_of, read, scan
from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.replay.archive import Archive, params_of
from guanyu_mpi.replay.items import Item
from guanyu_mpi.replay.rerun import Rerun
from guanyu_mpi.run_dir import checkpoint_dir
from guanyu_mpi.trace import params_digest


def verified(archive: Archive, run_dir: Path, say: Callable[[str], None]) -> bool:
    """Rerun to every checkpoint, and say of each server's last one whether it is the same.

    Raises Unreproducible at the first vector of the run that is not what it was, and
    CheckpointError where a checkpoint cannot be read.
    """
    root = checkpoint_dir(run_dir)
    targets = _targets(archive, root)
    if not targets:
        raise ConfigError(f"{root} holds no checkpoint to compare with")
    digests: dict[Node, tuple[int, str]] = {}
    for made in Rerun(archive, {}).made(targets):
        server, step = made.item.node, made.item.step
        digest = params_digest(made.vector)
        path = path_of(root, server.index, step)
        saved = params_digest(read(path, made.vector.size).params)
        if digest != saved:
            say(f"{server} differs at step {step}: sha256 {digest}, its checkpoint {saved}")
            return False
        digests[server] = max(digests.get(server, (0, "")), (step, digest))
    for server in _servers(archive):
        say(_ending(archive, server, digests.get(server)))
    return all(server in digests for server in _servers(archive) if _finished(archive, server))


def _targets(archive: Archive, root: Path) -> list[Item]:
    """Every checkpoint, as what a server had in the newest life that got there."""
    targets: list[Item] = []
    servers = {server.index: server for server in _servers(archive)}
    for index, steps in scan(root).items():
        for step in steps if index in servers else ():
            # Where no life tells of it, it is the newest one that does not.
            life = archive.life_of(servers[index], step) or archive.lives[-1]
            targets.append(params_of(life, step, servers[index]))
    return targets


def _servers(archive: Archive) -> tuple[Node, ...]:
    return archive.configs[archive.lives[-1]].nodes.nodes(Role.SERVER)


def _finished(archive: Archive, server: Node) -> bool:
    return archive.reached(server) == archive.configs[archive.lives[-1]].run.steps


def _ending(archive: Archive, server: Node, saved: tuple[int, str] | None) -> str:
    """How far a server came, and that it is as it was saved: anything else is said elsewhere."""
    end = "" if _finished(archive, server) else f" (its trace ends at {archive.reached(server)})"
    if saved is None:
        return f"{server}{end}: has saved nothing to compare with"
    step, digest = saved
    return f"{server}{end}: step {step}, sha256 {digest}: equal to its checkpoint"
