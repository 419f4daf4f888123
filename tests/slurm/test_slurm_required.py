"""Tests without Slurm are skipped with the reason, except where Slurm must be there."""

import pytest
from one_machine_slurm import REQUIRED_ENV, do_without


def test_what_is_not_installed_is_named_in_the_reason_to_skip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(REQUIRED_ENV, raising=False)
    with pytest.raises(pytest.skip.Exception, match="not installed here: Slurm: no slurmd"):
        do_without("Slurm: no slurmd")


def test_where_it_must_be_there_its_absence_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRED_ENV, "1")
    with pytest.raises(pytest.fail.Exception, match=f"{REQUIRED_ENV} is set"):
        do_without("Slurm: no slurmd")
