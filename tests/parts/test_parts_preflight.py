"""What is said of a run before it is started."""

import pytest

from guanyu_mpi.cluster import Cluster
from guanyu_mpi.preflight import algorithm, layout, size

# The deployment of the paper: 6 servers (f = 1), 18 workers (f' = 5), a CNN for CIFAR-10.
PAPER = Cluster(6, 1, 5, 18, 5, 13)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (1024, "1.00 KiB"),
        (10_240, "10.0 KiB"),
        (102_400, "100 KiB"),
        (7_025_736, "6.70 MiB"),
        (2**31, "2.00 GiB"),
        (2**51, "2,048 TiB"),
    ],
)
def test_a_size_has_about_three_digits_and_a_unit(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_the_layout_names_every_rank() -> None:
    assert layout(PAPER) == "25 ranks: servers 0-5, workers 6-23, observer 24"


def test_the_bounds_are_shown_with_the_numbers_that_meet_them() -> None:
    assert algorithm(PAPER) == [
        "GuanYu: no rank is trusted (El-Mhamdi, Guerraoui, Guirguis 2019)",
        "servers: n = 6 >= 3f + 3 = 6, quorum 2f + 3 = 5 <= 5 <= n - f = 5",
        "workers: n = 18 >= 3f + 3 = 18, quorum 2f + 3 = 13 <= 13 <= n - f = 13",
    ]


def test_a_trusted_server_is_another_algorithm() -> None:
    assert algorithm(Cluster(1, 0, 1, 18, 5, 13)) == [
        "Byzantine-resilient SGD: one trusted server (Blanchard et al. 2017)",
        "workers: waits for 13 of 18, tolerates 5 Byzantine",
    ]
