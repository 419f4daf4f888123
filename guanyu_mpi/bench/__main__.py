"""python -m guanyu_mpi.bench BENCHMARK PLAN: the process that measures; it prints its report."""

import sys
import traceback

from guanyu_mpi.heap import keep_freed_memory
from guanyu_mpi.processes import die_with_parent


def main() -> None:
    """Measure, and say on stderr what is measured."""
    die_with_parent()
    _, benchmark, plan = sys.argv
    measured = {
        "rules": _rules,
        "checkpoint": _checkpoint,
        "transport": _transport,
        "ddp": _ddp,
        "torch": _torch,
        "alone": _alone,
    }
    sys.stdout.write(measured[benchmark](plan))


def _rules(plan: str) -> str:
    from guanyu_mpi.bench.plan import plan_from_json
    from guanyu_mpi.bench.report import to_json
    from guanyu_mpi.bench.rules import measure

    return to_json(measure(plan_from_json(plan), _say))


def _checkpoint(plan: str) -> str:
    from guanyu_mpi.bench.checkpoint import measure
    from guanyu_mpi.bench.checkpoint_report import plan_from_json, to_json

    return to_json(measure(plan_from_json(plan), _say))


def _transport(plan: str) -> str:
    from mpi4py import MPI

    from guanyu_mpi.bench.transport import measure
    from guanyu_mpi.bench.transport_report import plan_from_json, to_json

    try:
        report = measure(plan_from_json(plan), _say)
    except BaseException:
        traceback.print_exc()
        # The other one waits for us, and so would MPI_Finalize for it.
        MPI.COMM_WORLD.Abort(1)
        raise
    return to_json(report) if report else ""


def _ddp(plan: str) -> str:
    from guanyu_mpi.bench.ddp import take_part
    from guanyu_mpi.bench.ddp_group import place_from_json, taken_to_json

    # As ranks do, with which it is compared; and the next one.
    keep_freed_memory()
    return taken_to_json(take_part(place_from_json(plan)))


def _torch(_: str) -> str:
    """The bytes of a process that has imported torch, and nothing else."""
    import torch

    from guanyu_mpi.account import Account

    del torch
    return str(Account().usage().peak_bytes)


def _alone(plan: str) -> str:
    """The bytes of a process that trains by torch, and does nothing else."""
    from guanyu_mpi.bench.ddp import alone
    from guanyu_mpi.bench.ddp_group import place_from_json

    keep_freed_memory()
    return str(alone(place_from_json(plan)))


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
