"""Faults to inject: kinds and nodes that exist, steps of the run, options that have an effect."""

import tomllib

import pytest
from config_cases import config_of, faults_of

from guanyu_mpi.cluster import Node, Role
from guanyu_mpi.config import config_toml, parse_config
from guanyu_mpi.config.injections import injections, struck
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.faults.kinds import KINDS, Injection
from guanyu_mpi.preflight import report, warnings
from guanyu_mpi.simulation import simulate

NODES = "server-0 to server-5, worker-0 to worker-5"
STRUCK = Node(Role.WORKER, 3)


def fault(kind: str = "crash", node: str = "worker-3", step: int = 5, **more: object) -> object:
    return {"node": node, "step": step, "kind": kind, **more}


def said_of(*faults: object) -> list[str]:
    return faults_of({"faults.inject": list(faults)})


def injected(*faults: object) -> tuple[Injection, ...]:
    config = config_of({"faults.inject": list(faults)})
    return injections(config.nodes, config.faults)


def test_nothing_is_injected_unless_asked_for() -> None:
    assert injections(config_of({}).nodes, config_of({}).faults) == ()
    assert struck(config_of({})) == frozenset()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (fault(node="worker-6"), f".node: there is no node 'worker-6': {NODES}"),
        (fault(node="observer-0"), f".node: there is no node 'observer-0': {NODES}"),
        (fault(step=20), ".step = 20: the steps of this run are 0 to 19"),
        (fault(step=-1), ".step = -1: must be >= 0"),
        (
            fault(signal="SIGKIL"),
            ".signal: unknown signal 'SIGKIL'; did you mean 'SIGKILL'? known: SIGABRT, SIGBUS, "
            "SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGTERM",
        ),
        (fault(signal="SIGSEGV", exit_code=3), ": signal and exit_code exclude each other"),
        (fault(exit_code=256), ".exit_code = 256: must be <= 255"),
        (
            fault("hang", duration_s=2.0),
            ".duration_s has no effect on a fault of kind 'hang'; its options: none",
        ),
        (
            fault("pause", delay_ms=2.0),
            ".delay_ms has no effect on a fault of kind 'pause'; its options: duration_s",
        ),
        (fault("pause", duration_s=0.0), ".duration_s = 0.0: must be > 0"),
        (fault("flood-small", count=0), ".count = 0: must be >= 1"),
        (fault("flood-small", count=10**7), ".count = 10000000: must be <= 1e+06"),
        (fault("partial-send"), ".receivers is missing: kind 'partial-send' needs it"),
        (
            fault("garbage", receivers=["server-9"]),
            f".receivers: there is no node 'server-9': {NODES}",
        ),
        (
            fault("garbage", receivers=["worker-1"]),
            ".receivers: worker-03 sends nothing to worker-01, so this has no effect",
        ),
        (
            fault("garbage", node="server-3", receivers=["server-03"]),
            ".receivers: server-03 sends nothing to server-03, so this has no effect",
        ),
        (
            fault(sginal="SIGKILL"),
            ".sginal; did you mean 'signal'? known: bits, count, delay_ms, duration_s, exit_code, "
            "kind, node, offset_steps, receivers, signal, step, times",
        ),
        (
            fault("slow", node="server-3"),
            ".kind: 'slow' has no effect on server-03, which computes no gradients",
        ),
        (fault("slow", times=0.5), ".times = 0.5: must be >= 1"),
    ],
)
def test_what_is_wrong_with_a_fault_is_one_line(wrong: object, said: str) -> None:
    (told,) = said_of(fault("delay"), wrong)
    assert told.removeprefix("unknown key ") == f"faults.inject[1]{said}"


def test_an_unknown_kind_is_told_with_the_near_miss_and_all_there_are() -> None:
    (told,) = said_of(fault("crsh"))
    known = ", ".join(sorted(KINDS))
    assert told == (
        "faults.inject[0].kind: unknown kind of fault 'crsh'; did you mean 'crash'? "
        f"known: {known}"
    )
    assert len(KINDS) >= 12


def test_every_fault_of_every_injection_is_told_at_once() -> None:
    said = said_of(fault(node="worker-9", step=99), fault("hnag"), fault("delay", bits=3))
    assert [line.split(":")[0].split(" ")[0] for line in said] == [
        "faults.inject[0].node",
        "faults.inject[0].step",
        "faults.inject[1].kind",
        "faults.inject[2].bits",
    ]


def test_what_is_there_twice_is_told() -> None:
    assert said_of(fault("delay"), fault("delay", node="worker-03", delay_ms=3.0)) == [
        "faults.inject: worker-03 at step 5: delay is there twice"
    ]


def test_nothing_happens_to_a_node_that_has_ended() -> None:
    assert said_of(fault("hang"), fault("garbage", step=6), fault("garbage", "worker-4", 6)) == [
        "faults.inject: worker-03 at step 6: garbage has no effect after hang at step 5"
    ]


def test_frames_of_the_step_in_which_a_node_ends_go_out_before() -> None:
    assert len(injected(fault("hang"), fault("garbage"))) == 2


def test_what_is_left_out_depends_on_the_kind() -> None:
    small, large, one = injected(
        fault("flood-small"), fault("flood-large"), fault("oversize", count=3)
    )
    assert (small.count, large.count, one.count) == (1000, 100, 3)
    assert small.receivers is None


def test_options_reach_the_injection() -> None:
    (found,) = injected(fault("partial-send", receivers=["server-0", "server-02"]))
    assert found == Injection(
        STRUCK,
        5,
        "partial-send",
        receivers=frozenset({Node(Role.SERVER, 0), Node(Role.SERVER, 2)}),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_of_a_kind_is_accepted_and_every_other_refused(kind: str) -> None:
    values: dict[str, object] = {
        "bits": 3,
        "count": 7,
        "delay_ms": 4.5,
        "duration_s": 1.5,
        "exit_code": 9,
        "offset_steps": 2,
        "receivers": ["server-1"],
        "signal": "SIGBUS",
        "times": 2.5,
    }
    needed = {key: values[key] for key in KINDS[kind].needs}
    for key, value in values.items():
        chosen = fault(kind, **{**needed, key: value})
        if key in KINDS[kind].options:
            assert injected(chosen)[0].kind == kind
        else:
            assert len(said_of(chosen)) == 1


def test_a_config_with_faults_survives_being_written_out() -> None:
    config = config_of(
        {
            "faults.inject": [
                fault(exit_code=3),
                fault("partial-send", step=2, receivers=[]),
                fault("pause", "server-1", duration_s=0.5),
            ]
        }
    )
    assert parse_config(tomllib.loads(config_toml(config))) == config
    assert struck(config) == {STRUCK, Node(Role.SERVER, 1)}


def test_who_is_struck_is_said_before_anything_is_started() -> None:
    lines = report(config_of({"faults.inject": [fault(), fault("hang", "server-1")]}))
    assert [line for line in lines if line.startswith("struck: ")] == [
        "struck: worker-03 at step 5: crash",
        "struck: server-01 at step 5: hang",
    ]
    assert not any(line.startswith("struck") for line in report(config_of({})))


def test_more_struck_than_are_tolerated_is_warned_of() -> None:
    found = warnings(config_of({"faults.inject": [fault(), fault(node="worker-1")]}))
    assert found == [
        "attackers and struck nodes among the workers: 2, more than are tolerated: "
        "cluster.byzantine_workers = 1"
    ]


def test_attackers_and_struck_nodes_are_counted_together_and_each_once() -> None:
    attack = {"name": "mute", "indices": [3]}
    same = {"attack.workers": attack, "faults.inject": [fault()]}
    assert warnings(config_of(same)) == []
    another = {"attack.workers": attack, "faults.inject": [fault(node="worker-1")]}
    (found,) = warnings(config_of(another))
    assert found.startswith("attackers and struck nodes among the workers: 2, more than")


def test_a_simulation_has_no_processes_to_strike() -> None:
    with pytest.raises(ConfigError) as caught:
        simulate(config_of({"faults.inject": [fault("garbage")]}))
    assert str(caught.value) == (
        "faults.inject: faults strike real processes only, and a simulation has none; "
        "use `guanyu launch`, or --set faults.inject=[]"
    )
