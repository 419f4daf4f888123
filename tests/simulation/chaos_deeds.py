"""What each action of a scheduler does to a world; one that is impossible there does nothing."""

from collections.abc import Callable

import numpy as np
from chaos_action import Action, Verb
from chaos_links import Link
from chaos_world import DeadError, World

from guanyu_mpi.cluster import Node
from guanyu_mpi.messages import Gradient, Message, Params, Update
from guanyu_mpi.transport.wire import Frame, encode

KINDS: tuple[type[Message], ...] = (Params, Gradient, Update)


def perform(world: World, action: Action) -> bool:
    """Let it happen; False if it cannot."""
    happened = _DEEDS[action.verb](world, action)
    world.counts[action.verb.value] += happened
    return happened


def _deliver(world: World, action: Action) -> bool:
    link = world.links[action.nodes]
    if link.frame is None or link.closed:
        return False
    # No set is asked for what it cannot have: this is done for every event.
    gone = bool(world.dead) and link.sender in world.dead
    frame = world.links.take(link, gone=gone)
    world.arrive(link.sender, link.receiver, frame)
    return True


def _compute(world: World, action: Action) -> bool:
    (node,) = action.nodes
    link = world.links[node, node]
    if not link.in_use or link.closed:
        return False
    world.links.lose(link)
    world.shells[node].compute()
    world.laws.check(node)
    if world.shells[node].busy:
        world.links.work(node)
    return True


def _pause(world: World, action: Action) -> bool:
    (node,) = action.nodes
    if node in world.paused or node in world.dead:
        return False
    world.paused.add(node)
    world.block()
    return True


def _resume(world: World, action: Action) -> bool:
    (node,) = action.nodes
    if node not in world.paused:
        return False
    world.paused.discard(node)
    world.block()
    return True


def _cut(world: World, action: Action) -> bool:
    world.side = frozenset(action.nodes)
    world.block()
    return True


def _heal(world: World, action: Action) -> bool:
    del action
    happened = bool(world.side)
    world.side = frozenset()
    world.block()
    return happened


def _die(world: World, action: Action) -> bool:
    link = world.links[action.nodes]
    victim = link.receiver
    if link.frame is None or not world.may_die(victim):
        return False
    world.sends_left = victim, int(action.numbers[0])
    frame = world.links.take(link, gone=link.sender in world.dead)
    world.dead.add(victim)
    try:
        world.arrive(link.sender, victim, frame)
    except DeadError:
        world.counts["died between two sends"] += 1
    world.sends_left = None
    world.laws.died(victim)
    world.links.isolate(victim)
    return True


def _drop(world: World, action: Action) -> bool:
    link = world.links[action.nodes]
    unreliable = link.sender in world.plan.attacks or link.sender in world.dead
    if link.frame is None or not unreliable:
        return False
    world.links.take(link, gone=link.sender in world.dead)
    return True


def _alter(world: World, action: Action) -> bool:
    position, value = (int(number) for number in action.numbers)

    def altered(frame: Frame) -> Frame:
        changed = frame.copy()
        if changed.size:
            changed[position % changed.size] = value
        return changed

    return _tamper(world, world.links[action.nodes], altered)


def _clip(world: World, action: Action) -> bool:
    return _tamper(
        world, world.links[action.nodes], lambda frame: frame[: int(action.numbers[0])].copy()
    )


def _tamper(world: World, link: Link, change: Callable[[Frame], Frame]) -> bool:
    if link.frame is None or link.sender not in world.plan.attacks:
        return False
    world.links.change(link, change)
    return True


def _say(world: World, action: Action) -> bool:
    sender, receiver = action.nodes
    if sender not in world.plan.attacks or world.links[action.nodes].closed:
        return False
    if receiver in world.dead or not world.faulty:
        return False
    kind, step, value = action.numbers
    vector = np.full(world.plan.dimension, value, np.float32)
    # Every other coordinate the other way, so that it is not one direction only.
    vector[1::2] *= -1
    world.arrive(sender, receiver, encode(KINDS[int(kind)](int(step), vector)))
    return True


def _kill(world: World, action: Action) -> bool:
    for node in action.nodes:
        _damage(world, node, int(action.numbers[0]))
    world.paused.clear()
    world.dead.clear()
    world.counts["checkpoints damaged"] += len(action.nodes)
    world.end()
    world.begin(damaged=bool(action.nodes))
    return True


def _damage(world: World, node: Node, how: int) -> None:
    files = world.disk.files[node.index]
    match how % 4:
        case 0:
            files.clear()
        case 1:
            for step in files:
                files[step] = None
        case 2:
            if files:
                files[max(files)] = None
        case _ if node in world.plan.attacks:
            lie = np.full(world.plan.dimension, 1e6, np.float32)
            files.update(dict.fromkeys(range(1, world.plan.steps + 1), lie))


def _calm(world: World, action: Action) -> bool:
    del action
    world.faulty = False
    world.side = frozenset()
    world.paused &= set(world.plan.attacks)
    world.block()
    if world.plan.quiet:
        for node in world.plan.attacks:
            world.links.hush(node)
    return True


_DEEDS: dict[Verb, Callable[[World, Action], bool]] = {
    Verb.DELIVER: _deliver,
    Verb.COMPUTE: _compute,
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.CUT: _cut,
    Verb.HEAL: _heal,
    Verb.DIE: _die,
    Verb.DROP: _drop,
    Verb.ALTER: _alter,
    Verb.CLIP: _clip,
    Verb.SAY: _say,
    Verb.KILL: _kill,
    Verb.CALM: _calm,
}
