"""Every reader of what others wrote, fed what is nearly right: documented errors, no growth.

The whole campaign is benchmarks/fuzz/campaign.py; a failing input is (target, seed, index) there.
"""

import os
import signal
import time
import tracemalloc
import warnings

import hunt as hunting
import pytest
from apart import hunt_apart
from fuzz_targets import MAKERS, Target, make
from hunt import hunt
from mutations import WORDS, mutation

SEED = 7
RUNS = {
    "frames": 30_000,
    "checkpoints": 1_000,
    "data files": 500,
    "configs": 1_000,
    "done-files": 1_500,
    "event logs": 200,
    "traces": 600,
}
# What an allocator keeps for itself; what leaks with every input is more.
GROWN_MAX_BYTES = 4 << 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return {name: make(name, tmp_path_factory.mktemp("target")) for name in MAKERS}


@pytest.mark.parametrize("name", RUNS)
def test_a_reader_raises_nothing_but_documented_errors_and_keeps_no_memory(name: str) -> None:
    found = hunt_apart(name, RUNS[name], SEED)
    assert found.failures == (), f"target {name!r}, seed {SEED}"
    assert found.runs == RUNS[name]
    assert found.grown_bytes < GROWN_MAX_BYTES


def test_every_target_is_hunted(made: dict[str, Target]) -> None:
    assert list(made) == list(RUNS)


def test_every_target_takes_what_is_honest(made: dict[str, Target]) -> None:
    for target in made.values():
        for honest in target.corpus:
            assert target.feed(honest), target.name


def test_a_good_part_of_the_inputs_gets_far(made: dict[str, Target]) -> None:
    """Were all refused at the first byte, nothing would be tested."""
    assert 0.05 < hunt(made["frames"], range(3000), SEED).accepted / 3000 < 0.7
    assert 0.05 < hunt(made["checkpoints"], range(500), SEED).accepted / 500 < 0.7


def test_decoding_frames_allocates_nothing_that_stays(made: dict[str, Target]) -> None:
    target = made["frames"]
    hunt(target, range(2000), SEED)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        hunt(target, range(2000, 6000), SEED)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000


def test_an_input_is_a_function_of_its_seed_and_index() -> None:
    corpus = [bytes(range(200)), b"key = 1\n" * 20]
    inputs = [mutation(SEED, index, corpus, WORDS) for index in range(300)]
    assert inputs == [mutation(SEED, index, corpus, WORDS) for index in range(300)]
    assert len(set(inputs)) > 250
    assert inputs[:50] != [mutation(SEED + 1, index, corpus, WORDS) for index in range(50)]


def feeding(what: str) -> Target:
    """A target that goes wrong, in one way, at every input."""
    kept: list[bytes] = []

    def feed(_: bytes) -> bool:
        match what:
            case "error":
                raise KeyError("params")
            case "warning":
                warnings.warn("overflow", RuntimeWarning, stacklevel=1)
            case "hang":
                time.sleep(60)
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "leak":
                # Written to, and more than a large parent has left over for its children.
                kept.append(b"x" * 1_000_000)
        return True

    return Target(what, [b"x"], feed)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("error", "KeyError: 'params'"),
        ("warning", "RuntimeWarning: overflow"),
        ("hang", "Hang: still running after 0.05 s"),
        ("crash", "the process ended: SIGSEGV"),
    ],
)
def test_what_goes_wrong_is_noticed(
    what: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hunting, "HANG_S", 0.05)
    found = hunt_apart(lambda _: feeding(what), 3, SEED)
    assert [failure.index for failure in found.failures] == [0, 1, 2]
    assert {failure.error for failure in found.failures} == {error}


def test_memory_that_is_kept_is_noticed() -> None:
    found = hunt_apart(lambda _: feeding("leak"), 200, SEED)
    assert found.grown_bytes > GROWN_MAX_BYTES
