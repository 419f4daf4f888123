"""What a run will cost, against numbers worked out by hand."""

import pytest

from guanyu_mpi.cluster import Cluster
from guanyu_mpi.preflight import Memory, Traffic, algorithm, layout, memory, size, traffic
from guanyu_mpi.transport.wire import HEADER, Element

# The deployment of the paper: 6 servers (f = 1), 18 workers (f' = 5), a CNN for CIFAR-10.
PAPER = Cluster(6, 1, 5, 18, 5, 13)
DIMENSION = 1_756_426
MESSAGE = 4 * DIMENSION + 32


def test_a_header_has_32_bytes() -> None:
    """On which the numbers below rest."""
    assert HEADER.size == 32


def test_traffic_is_that_of_the_paper() -> None:
    """n n' + n' n + n (n - 1) = 108 + 108 + 30 messages of 6.70 MiB, 1.61 GiB."""
    assert traffic(PAPER, DIMENSION) == Traffic(246, 246 * MESSAGE)
    assert size(MESSAGE) == "6.70 MiB"
    assert size(246 * MESSAGE) == "1.61 GiB"


def test_narrowed_vectors_take_half_the_bytes_but_between_servers() -> None:
    narrow = 2 * DIMENSION + 32
    assert traffic(PAPER, DIMENSION, Element.BFLOAT16) == Traffic(246, 216 * narrow + 30 * MESSAGE)


def test_one_trusted_server_sends_no_updates() -> None:
    assert traffic(Cluster(1, 0, 1, 18, 5, 13), 10) == Traffic(36, 36 * 72)


def test_memory_is_bounded_by_who_sends_and_who_receives() -> None:
    """Vectors of a server: 23 senders x (2 votes + 1 arriving) + 2 own votes
    + 24 receivers x (1 in flight + 1 pending) + 5 and 13 votes that were replaced while a quorum
    was prepared + 3 middle values + 13 mixtures + 3 = 156;
    of a worker: 6 x 3 + 6 x 2 + 5 + 3 + 3 = 41; of the observer: 6 x 3 + 2 x 5 + 1 = 29.
    """
    assert memory(PAPER, DIMENSION) == Memory(156 * MESSAGE, 41 * MESSAGE, 29 * MESSAGE)


def test_memory_of_a_server_grows_with_the_quorums() -> None:
    few, many = Cluster(30, 1, 5, 6, 1, 5), Cluster(30, 1, 29, 6, 1, 5)
    assert memory(many, 10).server_bytes - memory(few, 10).server_bytes == 24 * 72


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (1024, "1.00 KiB"),
        (10_240, "10.0 KiB"),
        (102_400, "100 KiB"),
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
