"""`guanyu check --slurm`: what a job script has to ask for."""

from pathlib import Path

import pytest
from cli_runs import guanyu, write_config


@pytest.mark.parametrize("options", [["--slurm"], ["--slurm", "--nodes", "6"], ["--nodes", "6"]])
def test_it_prints_lines_for_a_script_and_then_who_is_where(
    tmp_path: Path, options: list[str]
) -> None:
    result = guanyu("check", write_config(tmp_path), *options)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert lines[:2] == ["#SBATCH --nodes=6", "#SBATCH --ntasks=13"]
    assert "node 0: server-00, worker-00, observer-00" in lines


def test_too_few_nodes_for_the_servers_are_a_warning(tmp_path: Path) -> None:
    result = guanyu("check", write_config(tmp_path), "--slurm", "--nodes", "2")
    assert result.exit_code == 0
    assert "#SBATCH --ntasks-per-node=7" in result.stdout
    assert "a node holds 3 servers, and cluster.byzantine_servers = 1" in result.stderr


def test_more_nodes_than_ranks_are_wrong_input(tmp_path: Path) -> None:
    result = guanyu("check", write_config(tmp_path), "--slurm", "--nodes", "14")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "guanyu: --nodes 14: must be 1 to 13, the number of ranks\n"
