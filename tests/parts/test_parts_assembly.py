"""What a process makes of its part of the node that it runs on."""

from guanyu_mpi.assembly import Assembly
from guanyu_mpi.config import parse_config
from guanyu_mpi.cores import ALL_RANKS, Share

CONFIG = parse_config(
    {
        "run": {"name": "ahead", "steps": 1},
        "cluster": {"servers": 6, "byzantine_servers": 1, "workers": 6, "byzantine_workers": 1},
        "model": {"name": "quadratic", "options": {"dimension": 2}},
        "train": {"learning_rate": 0.1},
    }
)


def test_a_rank_with_a_core_of_its_own_works_ahead() -> None:
    assembly = Assembly(CONFIG, None, Share(own_core=True))
    assert assembly.gar.ahead
    assert assembly.contraction.ahead


def test_a_rank_that_shares_its_cores_does_all_work_at_the_end() -> None:
    for share in (Share(local_rank=3, own_core=False), ALL_RANKS):
        assembly = Assembly(CONFIG, None, share)
        assert not assembly.gar.ahead
        assert not assembly.contraction.ahead
