"""What is said of an unknown name."""

import pytest

from guanyu_mpi.errors import ConfigError, Fault, GuanYuError, PeerFault, unknown


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        (
            "krumm",
            ["median", "krum"],
            "unknown rule 'krumm'; did you mean 'krum'? known: krum, median",
        ),
        ("xyz", ["median", "krum"], "unknown rule 'xyz'; known: krum, median"),
        ("xyz", [], "unknown rule 'xyz'; there is none"),
    ],
)
def test_an_unknown_name_is_told_with_the_near_miss_and_all_that_is_known(
    name: str, known: list[str], text: str
) -> None:
    assert unknown("rule", name, known) == text


def test_an_error_of_the_user_is_a_line_per_fault() -> None:
    error = ConfigError("this", "that")
    assert str(error) == "this\nthat"
    assert error.faults == ("this", "that")


def test_a_fault_of_a_peer_is_no_fault_of_the_user() -> None:
    fault = PeerFault(Fault.SIZE, "7 bytes")
    assert str(fault) == "size: 7 bytes"
    assert isinstance(fault, GuanYuError)
    assert not isinstance(fault, ConfigError)
