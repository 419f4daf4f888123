"""Models, data, schedules: known ones with options that they have, and nothing without effect."""

from pathlib import Path

import pytest
from config_cases import DIGITS, config_of, faults_of

from guanyu_mpi.config import Config
from guanyu_mpi.models import MODELS
from guanyu_mpi.transport.wire import FRAME_BYTES_MAX, frame_bytes


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without data files."""
    monkeypatch.chdir(tmp_path)


def test_an_unknown_model_is_told_once_with_the_near_miss() -> None:
    """Not also that it has no data: that is known only of a model that is known."""
    assert faults_of({"model.name": "quadratik"}) == [
        f"unknown model 'quadratik'; did you mean 'quadratic'? known: {', '.join(sorted(MODELS))}"
    ]


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        (
            {"sigmma": 1},
            [
                "unknown option of model 'quadratic': 'sigmma'; did you mean 'sigma'? "
                "known: L, dimension, mu, sigma"
            ],
        ),
        (
            {"dimension": 0, "sigma": -1},
            [
                "model.options.dimension = 0: must be a whole number, >= 1",
                "model.options.sigma = -1.0: must be >= 0",
            ],
        ),
    ],
)
def test_all_faults_of_the_options_of_a_model_are_told(
    options: dict[str, object], faults: list[str]
) -> None:
    assert faults_of({"model.options": options}) == faults


def test_a_network_takes_the_options_that_it_has() -> None:
    assert isinstance(config_of({**DIGITS, "model.options": {"hidden": 5}}), Config)
    assert faults_of({**DIGITS, "model.options": {"width": 5}}) == [
        "unknown option of model 'mlp': 'width'; known: hidden"
    ]
    images = {"model.name": "cnnet", "data.name": "no.such:data"}
    assert (
        "model.options = {'width': 5}: model 'cnnet' has a fixed shape and takes none"
        in faults_of({**images, "model.options": {"width": 5}})
    )


def test_the_largest_message_that_mpi_can_count_is_taken_and_no_larger() -> None:
    largest = (FRAME_BYTES_MAX - frame_bytes(0)) // 4
    assert frame_bytes(largest) <= 2**31 - 1
    assert isinstance(config_of({"model.options.dimension": largest}), Config)
    assert faults_of({"model.options.dimension": largest + 1}) == [
        f"model.name = 'quadratic' has {largest + 1} parameters: a message of "
        f"{frame_bytes(largest + 1)} bytes is above the 2147483647 that MPI's counts can express"
    ]


def test_a_factory_that_cannot_be_imported_is_told() -> None:
    faults = faults_of({"model.name": "no.such:model", "data.name": "no.such:data"})
    assert [fault.split(" (")[0] for fault in faults] == [
        "model 'no.such:model': module 'no.such' cannot be imported",
        "data 'no.such:data': module 'no.such' cannot be imported",
    ]


def test_a_model_on_images_needs_data() -> None:
    assert faults_of({"model.name": "mlp"}) == ["[data] is missing: model 'mlp' needs data"]


def test_an_unknown_data_set_is_told_with_the_near_miss() -> None:
    assert faults_of({"model.name": "mlp", "data.name": "minst"}) == [
        "unknown data set 'minst'; did you mean 'mnist'? known: cifar10, mnist, mnist-small"
    ]


def test_data_of_a_model_that_is_its_own_has_no_effect() -> None:
    assert faults_of({"data.name": "mnist-small"}) == [
        "[data] has no effect: model 'quadratic' is its own data"
    ]


def test_options_of_a_prepared_data_set_have_no_effect() -> None:
    assert faults_of({**DIGITS, "data.options": {"flip": True}}) == [
        "data.options = {'flip': True}: data set 'mnist-small' takes none"
    ]


def test_a_path_for_a_data_factory_has_no_effect() -> None:
    changes = {"model.name": "mlp", "data.name": "json:loads", "data.path": "x.h5"}
    assert faults_of(changes) == [
        "data.path = x.h5 has no effect on data factory 'json:loads': give it what it needs in "
        "data.options"
    ]


@pytest.mark.usefixtures("elsewhere")
def test_a_missing_data_file_is_told_with_the_command_that_makes_it() -> None:
    assert faults_of({"model.name": "mlp", "data.name": "mnist"}) == [
        "data/mnist.h5 does not exist; make it with: guanyu data prepare mnist --download "
        "(or --from PATH in place of --download, if the official files are on this machine)"
    ]


@pytest.mark.usefixtures("elsewhere")
def test_a_missing_data_file_of_another_name_is_told_likewise() -> None:
    (fault,) = faults_of({"model.name": "mlp", "data.name": "mnist", "data.path": "here.h5"})
    assert "guanyu data prepare mnist --download --to here.h5" in fault


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mnist.h5"
    path.write_text("not HDF5")
    assert faults_of({"model.name": "mlp", "data.name": "mnist", "data.path": str(path)}) == [
        f"{path} is not an HDF5 file; it is left as it is"
    ]


def test_a_model_on_images_of_another_shape_is_told() -> None:
    assert faults_of({**DIGITS, "model.name": "cnnet"}) == [
        "model.name = 'cnnet' takes images of shape (3, 32, 32): "
        "those of data.name = 'mnist-small' have (1, 28, 28)"
    ]


@pytest.mark.usefixtures("elsewhere")
def test_images_of_another_shape_are_told_before_they_are_downloaded() -> None:
    faults = faults_of({"model.name": "mlp", "data.name": "cifar10"})
    assert faults[0].startswith("data/cifar10.h5 does not exist")
    assert faults[1:] == [
        "model.name = 'mlp' takes images of shape (1, 28, 28): "
        "those of data.name = 'cifar10' have (3, 32, 32)"
    ]


def test_a_model_on_images_of_its_shape_is_taken() -> None:
    assert config_of(DIGITS).model.name == "mlp"


@pytest.mark.parametrize(("key", "value"), [("batch_size", 8), ("weight_decay", 0.0)])
def test_a_key_of_training_without_effect_is_told(key: str, value: float) -> None:
    assert faults_of({f"train.{key}": value}) == [
        f"train.{key} has no effect: model 'quadratic' has no examples, and a known optimum"
    ]


def test_an_unknown_schedule_is_told_with_the_near_miss() -> None:
    assert faults_of({"train.schedule": "inverse_time"}) == [
        "train.schedule: unknown schedule 'inverse_time'; did you mean 'inverse-time'? "
        "known: constant, inverse-time"
    ]


@pytest.mark.parametrize(
    ("schedule", "options", "said"),
    [
        (
            "inverse-time",
            {"halflife": 5},
            "unknown option of schedule 'inverse-time': 'halflife'; did you mean 'half_life'? "
            "known: half_life",
        ),
        (
            "constant",
            {"half_life": 5},
            "unknown option of schedule 'constant': 'half_life'; there is none",
        ),
        (
            "inverse-time",
            {"half_life": 0},
            "option half_life = 0.0 of schedule 'inverse-time': must be > 0",
        ),
        (
            "inverse-time",
            {"half_life": -5},
            "option half_life = -5.0 of schedule 'inverse-time': must be > 0",
        ),
    ],
)
def test_an_option_that_a_schedule_cannot_take_is_told(
    schedule: str, options: dict[str, float], said: str
) -> None:
    changes = {"train.schedule": schedule, "train.schedule_options": options}
    assert faults_of(changes) == [f"train.schedule_options: {said}"]
