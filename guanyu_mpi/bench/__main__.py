"""python -m guanyu_mpi.bench BENCHMARK PLAN: the process that measures; it prints its report."""

import sys

from guanyu_mpi.processes import die_with_parent


def main() -> None:
    """Measure, and say on stderr what is measured."""
    die_with_parent()
    _, benchmark, plan = sys.argv
    print({"rules": _rules, "checkpoint": _checkpoint}[benchmark](plan))


def _rules(plan: str) -> str:
    from guanyu_mpi.bench.plan import plan_from_json
    from guanyu_mpi.bench.report import to_json
    from guanyu_mpi.bench.rules import measure

    return to_json(measure(plan_from_json(plan), _say))


def _checkpoint(plan: str) -> str:
    from guanyu_mpi.bench.checkpoint import measure
    from guanyu_mpi.bench.checkpoint_report import plan_from_json, to_json

    return to_json(measure(plan_from_json(plan), _say))


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
