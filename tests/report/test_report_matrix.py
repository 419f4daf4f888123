"""The matrix of an experiment: as much work as it has entries."""

import pytest
from report_files import record

from guanyu_mpi.report.matrix import Entry, Matrix, table


def matrix_of(size: int, *, worst_in_rows: bool) -> Matrix:
    names = tuple(map(str, range(size)))
    entries = tuple(
        tuple(Entry((record({"r": row, "c": column}, 0.5),), 1) for column in names)
        for row in names
    )
    return Matrix("r", "c", names, names, entries, accurate=True, worst_in_rows=worst_in_rows)


@pytest.mark.parametrize("worst_in_rows", [True, False])
def test_the_work_for_a_matrix_grows_as_its_entries_do(
    monkeypatch: pytest.MonkeyPatch, worst_in_rows: bool
) -> None:
    calls: list[Entry] = []
    badness = Matrix.badness

    def counted(matrix: Matrix, entry: Entry) -> float:
        calls.append(entry)
        return badness(matrix, entry)

    monkeypatch.setattr(Matrix, "badness", counted)
    table(matrix_of(5, worst_in_rows=worst_in_rows))
    of_five = len(calls)
    assert of_five >= 25
    table(matrix_of(10, worst_in_rows=worst_in_rows))
    assert len(calls) - of_five == 4 * of_five
