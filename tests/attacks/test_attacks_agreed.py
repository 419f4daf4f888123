"""Attackers of one process who know the same: what they work out together, and what they may."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pytest
from attack_harness import draws, server, vector, view_of, worker, worker_config

from guanyu_mpi.attackers import prepared
from guanyu_mpi.attacks import ATTACKS, Agreed, Combine, Crowd, View, bind_attack
from guanyu_mpi.config.aggregators import gradients_aggregator
from guanyu_mpi.messages import Gradient, Message, Vector
from guanyu_mpi.protocol.quorum import Inbox, Quorum
from guanyu_mpi.spy import Ring, Uncombined

AGREED = [name for name, attack in ATTACKS.items() if attack.agreed]


@pytest.mark.parametrize("name", AGREED)
def test_on_what_attackers_agree_depends_on_none_of_them(name: str) -> None:
    """Neither on who sends it, nor to whom, nor on the sender's own vector."""
    vectors = draws(5)
    one = bind_attack(name)(view_of(vectors, sender=worker(5), receiver=server(0)))
    other = bind_attack(name)(view_of(vectors, sender=worker(6), receiver=server(3)))
    assert one is not None
    assert other is not None
    assert one.tobytes() == other.tobytes()


def test_attackers_that_remember_or_equivocate_do_not_agree() -> None:
    assert AGREED
    assert not {"mimic", "split", "freeze", "equivocate", "reverse"} & set(AGREED)


def test_who_knows_the_same_asks_once_and_who_knows_more_asks_again() -> None:
    asked: list[View] = []

    def attack(view: View) -> Vector:
        asked.append(view)
        return np.full_like(view.vector, len(asked))

    agreed, known = Agreed(attack), view_of([vector(1.0), vector(2.0)])
    assert [agreed(known), agreed(known)] == [vector(1.0)] * 2
    assert agreed(view_of([vector(1.0), vector(2.0)])) == vector(2.0)
    assert len(asked) == 2


def test_spies_who_have_heard_the_same_know_it_as_one_object() -> None:
    ring = Ring()
    first = ring.known(Gradient, heard({0: 1.0, 1: 2.0}))
    assert ring.known(Gradient, heard({0: 1.0, 1: 2.0})) is first
    for other in ({0: 1.0, 2: 2.0}, {0: 1.0, 1: 3.0}, {0: 1.0, 1: 2.0, 2: 3.0}):
        known = ring.known(Gradient, heard(other))
        assert known is not first
        assert [float(vector[0]) for vector in known.vectors] == list(other.values())


@pytest.mark.parametrize("rule", ["median", "multi-krum", "krum", "trimmed-mean"])
@pytest.mark.parametrize("name", ["opt-alie", "opt-ipm"])
def test_a_search_finds_the_same_whatever_the_rule_has_seen_before(rule: str, name: str) -> None:
    """Prepared for the honest vectors, the rule gives what it gives on all vectors at once."""
    config = worker_config(rule, name, sigma=0.5)
    aggregator, vectors = gradients_aggregator(config.aggregation, config.nodes), draws(5)
    quorum = config.nodes.worker_quorum

    def at_once(_: Sequence[Vector]) -> Combine:
        return lambda together: aggregator.gather().combine(together)

    lies = [
        bind_attack(name)(view_of(vectors, crowd=Crowd(9, 2, quorum, ready)))
        for ready in (at_once, partial(prepared, aggregator))
    ]
    assert lies[0] is not None
    assert lies[1] is not None
    assert lies[0].tobytes() == lies[1].tobytes()


def heard(said: Mapping[int, float], kind: type[Message] = Gradient) -> Quorum:
    inbox = Inbox(len(said), 0, Uncombined())
    for index, value in said.items():
        inbox.offer(worker(index), 0, vector(value))
    return inbox.consume(0)
