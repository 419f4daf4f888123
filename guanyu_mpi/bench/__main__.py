"""python -m guanyu_mpi.bench PLAN: the process that measures; its report goes to stdout."""

import sys

from guanyu_mpi.bench.plan import plan_from_json
from guanyu_mpi.bench.report import to_json
from guanyu_mpi.bench.rules import measure
from guanyu_mpi.processes import die_with_parent


def main() -> None:
    """Measure, and say on stderr what is measured."""
    die_with_parent()
    report = measure(plan_from_json(sys.argv[1]), lambda line: print(line, file=sys.stderr))
    print(to_json(report))


if __name__ == "__main__":
    main()
