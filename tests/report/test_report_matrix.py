"""The matrix of an experiment: as much work as it has entries."""

from dataclasses import replace

import pytest
from report_files import record

from guanyu_mpi.report.matrix import Entry, Matrix, table
from guanyu_mpi.report.verdict import verdicts


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


def matrix_of_one_row(**accuracies: list[float]) -> Matrix:
    entries = tuple(
        Entry(
            tuple(record({"attack": attack}, accuracy) for accuracy in found), max(1, len(found))
        )
        for attack, found in accuracies.items()
    )
    return Matrix(
        "rule",
        "attack",
        ("krum",),
        tuple(accuracies),
        (entries,),
        accurate=True,
        worst_in_rows=True,
    )


def test_the_worst_case_is_told_by_the_seed_that_makes_it_the_worst() -> None:
    matrix = matrix_of_one_row(none=[0.9, 0.9], ipm=[0.9, 0.2], zero=[0.5, 0.5])
    (worst,) = matrix.worst_cases()
    assert worst is matrix.entries[0][1]
    row = str(table(matrix)).partition("<tbody>")[2]
    assert row.index("0.200") < row.index("0.900")
    assert "▼ 0.550" in row


def test_a_rule_fails_under_what_takes_more_than_it_may_of_any_seed() -> None:
    matrix = matrix_of_one_row(
        none=[0.9, 0.92], ipm=[0.87, 0.9], alie=[0.9, 0.85], zero=[0.1, 0.2]
    )
    (sentence,) = verdicts(matrix)
    assert sentence == "krum withstands 1 of 3, and fails under alie (0.850), zero (0.100)."


def test_a_rule_that_nothing_does_harm_to_withstands_everything() -> None:
    assert list(verdicts(matrix_of_one_row(none=[0.9], ipm=[0.88], zero=[0.91]))) == [
        "krum withstands 2 of 2."
    ]


def test_what_is_not_known_is_neither_withstood_nor_a_failure() -> None:
    assert list(verdicts(matrix_of_one_row(none=[0.9], ipm=[], zero=[0.91]))) == [
        "krum withstands 1 of 2; not known of ipm."
    ]


def test_a_rule_withstands_what_all_seeds_have_shown() -> None:
    matrix = matrix_of_one_row(none=[0.9], ipm=[0.9], zero=[0.1])
    (row,) = matrix.entries
    short = tuple(replace(entry, expected=at + 1) for at, entry in enumerate(row))
    assert list(verdicts(replace(matrix, entries=(short,)))) == [
        "krum withstands 0 of 2, and fails under zero (0.100); not known of ipm."
    ]


def test_there_is_no_verdict_without_the_unattacked() -> None:
    assert list(verdicts(matrix_of_one_row(none=[], ipm=[0.9]))) == []
    assert list(verdicts(matrix_of_one_row(ipm=[0.9]))) == []
