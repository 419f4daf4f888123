"""What an experiment file means, and what is said of one that means nothing."""

from pathlib import Path

import pytest
import tomli_w
from click.testing import CliRunner
from experiment_files import RULES, SEEDS, write_experiment

from guanyu_mpi.cli import main
from guanyu_mpi.config import config_toml, load_config
from guanyu_mpi.errors import ConfigError
from guanyu_mpi.experiment import load_experiment
from guanyu_mpi.experiment.cells import digest

ATTACKS = {
    "none": {},
    "reverse": {"attack": {"workers": {"name": "reverse", "count": 1}}},
}
STUDIES = sorted((Path(__file__).parents[2] / "configs" / "experiments").glob("*.toml"))


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    return list(caught.value.faults)


def test_cells_are_all_combinations_and_are_named_by_them(tmp_path: Path) -> None:
    experiment = load_experiment(write_experiment(tmp_path, {"rule": RULES, "attack": ATTACKS}))
    assert [cell.name for cell in experiment.cells] == [
        "rule-average_attack-none",
        "rule-average_attack-reverse",
        "rule-median_attack-none",
        "rule-median_attack-reverse",
    ]
    assert [cell.index for cell in experiment.cells] == [0, 1, 2, 3]
    last = experiment.cells[3]
    assert last.values == {"rule": "median", "attack": "reverse"}
    assert last.config.aggregation.gradients == "median"
    assert last.config.attack.workers.count == 1
    assert last.config.run.name == last.name


def test_changes_for_all_cells_come_before_those_of_axes_and_the_last_axis_has_the_last_word(
    tmp_path: Path,
) -> None:
    axes = {"a": {"x": {"run": {"seed": 5}}}, "b": {"y": {"run": {"seed": 6}}, "z": {}}}
    path = write_experiment(tmp_path, axes, set={"run": {"steps": 7, "seed": 4}})
    experiment = load_experiment(path)
    assert [cell.config.run.seed for cell in experiment.cells] == [6, 5]
    assert {cell.config.run.steps for cell in experiment.cells} == {7}


def test_what_is_no_section_is_replaced_whole(tmp_path: Path) -> None:
    """As by --set: the options of another model are not mixed with those of the base's."""
    axes = {"model": {"x": {"model": {"options": {"sigma": 0.5}}}}}
    (cell,) = load_experiment(write_experiment(tmp_path, axes)).cells
    assert cell.config.model.options == {"sigma": 0.5}
    assert cell.config.model.name == "quadratic"


def test_a_digest_is_of_what_a_configuration_says_and_not_of_how(tmp_path: Path) -> None:
    axes = {"rule": {"x": {}, "y": {"aggregation": {"gradients": "multi-krum"}}}}
    path = write_experiment(tmp_path, axes, set={"run": {"stall_timeout_s": 600.0}})
    same, explicit = load_experiment(path).cells
    renamed = explicit.config.model_copy(update={"run": same.config.run})
    assert digest(renamed) == same.digest
    written = tmp_path / "written.toml"
    written.write_text(config_toml(same.config), encoding="utf-8")
    assert digest(load_config(written)) == same.digest
    assert digest(load_config(written, ["run.steps=13"])) != same.digest


def test_cells_that_break_a_bound_are_told_with_the_reason(tmp_path: Path) -> None:
    axes = {
        "f": {
            "1": {},
            "2": {"cluster": {"byzantine_workers": 2}},
        },
        "rule": {**RULES, "krumm": {"aggregation": {"gradients": "krumm"}}},
    }
    told = faults(write_experiment(tmp_path, axes))
    assert len(told) == 2
    assert "did you mean 'krum'?" in told[0]
    assert "2 of 6 cells: f-1_rule-krumm, f-2_rule-krumm" in told[0]
    assert "cluster.workers = 6 cannot tolerate byzantine_workers = 2" in told[1]
    assert "3 of 6 cells: f-2_rule-average, f-2_rule-median, f-2_rule-krumm" in told[1]


def test_faults_need_real_processes(tmp_path: Path) -> None:
    fault = {"node": "worker-3", "step": 2, "kind": "crash"}
    axes = {"fault": {"crash": {"faults": {"inject": [fault]}}, "none": {}}}
    (told,) = faults(write_experiment(tmp_path, axes))
    assert told.startswith("faults.inject: faults strike real processes only")
    assert "1 of 2 cells: fault-crash" in told
    assert len(load_experiment(write_experiment(tmp_path, axes, how="launch")).cells) == 2


def test_nothing_starts_where_a_cell_is_wrong(tmp_path: Path) -> None:
    axes = {"f": {"1": {}, "2": {"cluster": {"byzantine_workers": 2}}}}
    path, run_dir = write_experiment(tmp_path, axes), tmp_path / "run"
    result = CliRunner().invoke(main, ["experiment", str(path), "--run-dir", str(run_dir)])
    assert result.exit_code == 2
    assert result.stderr.startswith("guanyu: cluster.workers = 6 cannot tolerate")
    assert not run_dir.exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"nmae": "x"}, "unknown key 'nmae'; did you mean 'name'?"),
        ({"name": "a/b"}, "name = 'a/b': must be letters, digits"),
        ({"name": 3}, "name = 3: must be what the experiment is called"),
        ({"how": "simulat"}, "did you mean 'simulate'?"),
        ({"base": ["x"]}, "base = ['x']: must be the configuration"),
        ({"about": 1}, "about = 1: must be a string"),
        ({"set": 1}, "set = 1: must be a table"),
        ({"axes": {}}, "axes: there is none"),
        ({"axes": {"a_b": {"x": {}}}}, "axes: 'a_b' must be letters, digits"),
        ({"axes": {"a": {}}}, "axes.a = {}: must be a table that is not empty"),
        ({"axes": {"a": {"../x": {}}}}, "axes.a: '../x' must be letters"),
        ({"axes": {"a": {"x": 1}}}, "axes.a.x = 1: must be a table of changes"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    tmp_path: Path, content: dict[str, object], told: str
) -> None:
    path = write_experiment(tmp_path, {"rule": RULES})
    keys = {"name": "tiny", "base": "base.toml", "how": "simulate", "axes": {"rule": RULES}}
    path.write_text(tomli_w.dumps({**keys, **content}), encoding="utf-8")
    (fault,) = faults(path)
    assert told in fault
    assert str(path) in fault


def test_a_base_that_is_not_there_is_told(tmp_path: Path) -> None:
    (fault,) = faults(write_experiment(tmp_path, {"rule": RULES}, base="gone.toml"))
    assert fault == f"cannot read {tmp_path / 'gone.toml'}: No such file or directory"


def test_too_many_cells_are_refused(tmp_path: Path) -> None:
    values = {str(value): {} for value in range(101)}
    (fault,) = faults(write_experiment(tmp_path, {"a": values, "b": values}))
    assert fault.startswith("axes make 10201 cells: at most 10000")


def test_listing_says_what_the_cells_are_and_starts_nothing(tmp_path: Path) -> None:
    path, run_dir = write_experiment(tmp_path, {"seed": SEEDS}), tmp_path / "run"
    options = ["experiment", str(path), "--run-dir", str(run_dir)]
    result = CliRunner().invoke(main, [*options, "--list"])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["    0  to do     seed-1", "    1  to do     seed-2"]
    assert not run_dir.exists()
    beyond = CliRunner().invoke(main, [*options, "--cell", "2"])
    assert beyond.exit_code == 2
    assert "--cell 2: the cells are 0 to 1" in beyond.stderr


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: str(path.stem))
def test_every_study_keeps_the_bounds(path: Path) -> None:
    if path.stem.startswith("paper") and not Path("data/cifar10.h5").exists():
        pytest.skip("data/cifar10.h5 is made by `guanyu data prepare cifar10 --download`")
    assert load_experiment(path).cells
