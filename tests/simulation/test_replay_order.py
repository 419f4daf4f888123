"""In which order a replay computes, and how much it holds."""

from collections.abc import Mapping

import pytest

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.replay.items import Item, Kind, Unreproducible, ordered


def item(step: int, index: int = 0, kind: Kind = Kind.PARAMS) -> Item:
    return Item(1, step, kind, Node(Role.SERVER, index))


def held_max(needs: Mapping[Item, tuple[Item, ...]], target: Item) -> int:
    held: set[Item] = set()
    most = 0
    for made, used_up in ordered([target], lambda at: needs[at]):
        assert set(needs[made]) <= held, "a source was not there, or no more"
        held.add(made)
        most = max(most, len(held))
        held -= set(used_up)
    assert not held
    return most


def test_of_a_long_run_only_what_is_still_needed_is_held() -> None:
    """Three servers that all wait for each other, over ten thousand steps."""
    needs = {item(0, k): () for k in range(3)}
    for step in range(1, 10_000):
        needs |= {item(step, k): tuple(item(step - 1, j) for j in range(3)) for k in range(3)}
    assert held_max(needs, item(9_999)) == 6


def test_a_vote_of_a_later_step_is_computed_before_the_quorum_that_it_stood_in_for() -> None:
    needs = {item(0): (), item(5, 1): (item(0),), item(1): (item(0), item(5, 1))}
    assert [made for made, _ in ordered([item(1)], lambda at: needs[at])] == [
        item(0),
        item(5, 1),
        item(1),
    ]


def test_what_no_target_needs_is_not_computed() -> None:
    needs = {item(0): (), item(1): (item(0),), item(2): (item(1),)}
    assert len(list(ordered([item(1)], lambda at: needs[at]))) == 2


def test_of_all_that_is_missing_the_earliest_is_named_before_anything_is_computed() -> None:
    def sources(at: Item) -> tuple[Item, ...]:
        if at.step in (7, 3):
            raise Unreproducible(1, at.step, "gone")
        return () if at.step == 0 else (item(at.step - 1, at.node.index),)

    with pytest.raises(Unreproducible, match="life 1, step 3: gone"):
        next(ordered([item(9), item(5, 1)], sources))


def test_votes_that_came_of_what_they_were_votes_for_are_an_error_and_no_silence() -> None:
    needs = {item(0): (), item(1): (item(0), item(2, 1)), item(2, 1): (item(1),)}
    made = ordered([item(2, 1)], lambda at: needs[at])
    assert next(made)[0] == item(0)
    with pytest.raises(Unreproducible, match=r"Params\(1\) of server-00 was made of Params\(2\)"):
        next(made)
