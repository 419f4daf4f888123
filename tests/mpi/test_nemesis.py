"""Nemesis: every kind of fault, over real MPI, within the bounds; judged as the campaign judges.

The campaign itself, of hundreds of random combinations, is benchmarks/faults/campaign.py.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The plans and the judge are the campaign's; benchmarks are no package that could be imported.
sys.path.insert(0, str(ROOT / "benchmarks" / "faults"))

from fault_plan import Plan  # noqa: E402
from fault_trial import Trial, run  # noqa: E402
from fault_verdict import Ended, against, ended  # noqa: E402

from guanyu_mpi.assembly import Assembly  # noqa: E402
from guanyu_mpi.checkpoint import path_of, read  # noqa: E402
from guanyu_mpi.cluster import Node, Role  # noqa: E402
from guanyu_mpi.config import load_config  # noqa: E402
from guanyu_mpi.done import done_path  # noqa: E402
from guanyu_mpi.faults.kinds import KINDS  # noqa: E402
from guanyu_mpi.journal import rank_log  # noqa: E402
from guanyu_mpi.launch import find_launcher  # noqa: E402
from guanyu_mpi.metrics import read_events  # noqa: E402
from guanyu_mpi.run_dir import checkpoint_dir, config_path  # noqa: E402

pytestmark = [pytest.mark.mpi, pytest.mark.slow]

STEPS = 50
TCP = {"OMPI_MCA_btl": "self,tcp"}

Faults = Sequence[tuple[int, str, dict[str, object]]]

FRAMES: Faults = (
    (3, "flood-small", {"count": 3000}),
    (5, "undersize", {}),
    (7, "wrong-kind", {"receivers": ["server-0", "worker-1"]}),
    (9, "future-step", {"offset_steps": 2 * STEPS}),
    (11, "past-step", {"offset_steps": 2 * STEPS}),
    (13, "oversize", {"count": 12}),
)
MORE_FRAMES: Faults = (
    (3, "duplicate", {}),
    (4, "double-vote", {"count": 2}),
    (5, "future-step", {"offset_steps": 3}),
    (7, "bit-flips", {"count": 5, "bits": 40}),
    (9, "flood-large", {}),
    (11, "garbage", {"count": 50}),
)
# Who is struck in which run: one server and one worker at most.
RUNS: dict[str, dict[str, Faults]] = {
    "frames": {"server-5": FRAMES, "worker-5": MORE_FRAMES},
    "deaths": {
        "server-0": ((4, "delay", {"delay_ms": 5.0}), (20, "die-sending", {})),
        "worker-2": ((4, "past-step", {}), (20, "crash", {"signal": "SIGSEGV"})),
    },
    "silence": {
        "server-2": ((4, "pause", {"duration_s": 0.7}), (15, "crash", {"exit_code": 3})),
        "worker-0": (
            (2, "slow", {"times": 3.0}),
            (4, "partial-send", {"receivers": ["server-1", "server-4"]}),
        ),
    },
    "hangs": {"server-3": ((10, "hang", {}),), "worker-4": ((10, "busy-loop", {}),)},
}


def plan_of(struck: dict[str, Faults], attack: dict[str, object] | None = None) -> Plan:
    """One server and one worker at most, among six of each; large frames."""
    faults = [
        {"node": node, "step": step, "kind": kind, **options}
        for node, faults in struck.items()
        for step, kind, options in faults
    ]
    config: dict[str, dict[str, object]] = {
        "run": {"name": "nemesis", "steps": STEPS, "seed": 3},
        "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 6, "byzantine_workers": 1},
        "model": {"name": "quadratic", "options": {"dimension": 20_000, "sigma": 0.01}},
        "train": {"learning_rate": 0.5},
        "attack": attack or {},
        "faults": {"inject": faults},
        "checkpoint": {"every": 10},
        "observe": {"every": 10},
    }
    named = (node.partition("-") for node in struck)
    return Plan(config, frozenset(f"{role}-{int(index):02d}" for role, _, index in named))


@pytest.fixture(scope="module", autouse=True)
def tolerant() -> None:
    _, library = find_launcher()
    if not library.can_tolerate_faults:
        pytest.skip(f"{library}: a rank that dies ends the job")


@pytest.fixture(scope="module")
def fault_free(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    plan, run_dir = plan_of({}), tmp_path_factory.mktemp("free") / "run"
    found = ended(plan, run(plan, run_dir, {}))
    assert not found.wrong
    return found


def judged(plan: Plan, trial: Trial, fault_free: Ended) -> list[str]:
    found = ended(plan, trial)
    config = load_config(config_path(trial.run_dir))
    return found.wrong + against(found, fault_free, config)


def struck_by(trial: Trial) -> set[str]:
    """The kinds of fault that the ranks' logs tell of."""
    events = (event for rank in range(12) for event in read_events(rank_log(trial.run_dir, rank)))
    return {str(event["kind"]) for event in events if event["event"] == "fault"}


def test_every_kind_is_in_one_of_the_runs() -> None:
    struck = {kind for run in RUNS.values() for faults in run.values() for _, kind, _ in faults}
    assert struck == set(KINDS)


@pytest.mark.parametrize("name", RUNS)
def test_within_the_bounds_no_fault_keeps_the_honest_from_the_end(
    name: str, tmp_path: Path, fault_free: Ended
) -> None:
    plan = plan_of(RUNS[name])
    trial = run(plan, tmp_path / "run", {})
    assert judged(plan, trial, fault_free) == []
    assert struck_by(trial) == {kind for faults in RUNS[name].values() for _, kind, _ in faults}


def test_over_tcp_and_under_attack_a_sender_dies_in_the_middle_of_a_message(
    tmp_path: Path, fault_free: Ended
) -> None:
    attack: dict[str, object] = {"workers": {"name": "reverse", "indices": [2]}}
    plan = plan_of(RUNS["deaths"], attack)
    trial = run(plan, tmp_path / "run", TCP)
    # TCP's buffers are no part of what was held over shared memory.
    assert [what for what in judged(plan, trial, fault_free) if "MiB" not in what] == []
    last = read_events(rank_log(trial.run_dir, 0))[-1]
    assert (last["event"], last["kind"]) == ("fault", "die-sending")
    # To each of five servers, six workers and the observer it was sending one.
    assert isinstance(last["unfinished"], int)
    assert 0 < last["unfinished"] <= 12


def rewrite_far_from_the_others(trial: Trial, server: int) -> None:
    """A valid file, as an honest server may leave one, of a model that is wrong."""
    assembly = Assembly(load_config(config_path(trial.run_dir)), trial.run_dir)
    store = assembly.saves.store(Node(Role.SERVER, server))
    assert store is not None
    path = path_of(checkpoint_dir(trial.run_dir), server, STEPS)
    store.write(STEPS, read(path).params + 1)


def test_the_judge_sees_what_is_wrong(tmp_path: Path, fault_free: Ended) -> None:
    """Or the runs above would say nothing."""
    plan = plan_of({"worker-5": ((4, "garbage", {}),)})
    trial = run(plan, tmp_path / "run", {})
    assert judged(plan, trial, fault_free) == []
    claimed = plan_of({"worker-5": ((4, "garbage", {}), (5, "flood-large", {}))})
    assert judged(claimed, trial, fault_free) == [
        "worker-05 was struck by flood-large 0 times, at step 5 once was due"
    ]
    rewrite_far_from_the_others(trial, server=2)
    (said_of_it,) = judged(plan, trial, fault_free)
    assert said_of_it.startswith("checkpoint of server 2: error ")
    done_path(trial.run_dir, 3).unlink()
    path_of(checkpoint_dir(trial.run_dir), 1, STEPS).write_bytes(b"torn")
    trial.status, trial.peak_bytes[12] = 1, 2**40
    trial.left_over = ["guanyu run"]
    said = [what.split(":")[0] for what in judged(plan, trial, fault_free)]
    assert [what.split(" ")[0] for what in said] == [
        "exit",
        "server-03",
        "checkpoint",
        "left",
        "checkpoint",
        "observer-00",
    ]
    trial.status = None
    assert judged(plan, trial, fault_free)[0].startswith("hang: ")
