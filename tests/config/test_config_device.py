"""Where gradients are computed: what is refused, and what each rank is told."""

import pytest
from config_cases import DIGITS, config_of, faults_of

from guanyu_mpi.models.device import Device


@pytest.mark.parametrize(
    "name", ["gpu", "", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "CUDA", "auto "]
)
def test_a_name_that_is_no_devices_is_told_with_those_that_are(name: str) -> None:
    assert faults_of({**DIGITS, "device.name": name}) == [
        f'device.name = {name!r}: must be "cpu", "cuda", "cuda:N" or "auto"'
    ]


def test_a_rank_is_told_its_place_on_the_node_and_all_that_was_chosen() -> None:
    chosen = {"device": {"name": "cuda", "autocast": True, "compile": True}}
    config = config_of({**DIGITS, **chosen})
    assert config.device.on(3) == Device("cuda", 3, autocast=True, compile=True)
    assert config_of(DIGITS).device.on(3) == Device("cpu", 3)


@pytest.mark.parametrize(
    ("name", "anywhere"), [("cuda:3", "auto"), ("auto", "auto"), ("cpu", "cpu")]
)
def test_what_was_trained_on_a_gpu_can_be_evaluated_without_one(name: str, anywhere: str) -> None:
    device = config_of({**DIGITS, "device": {"name": name, "autocast": True}}).device
    assert device.anywhere == device.model_copy(update={"name": anywhere})


def test_a_device_for_a_model_that_is_computed_by_numpy_is_refused() -> None:
    assert faults_of({"device": {"name": "auto", "compile": True}}) == [
        "device.name = 'auto' has no effect: model 'quadratic' is computed by numpy",
        "device.compile = True has no effect: model 'quadratic' is computed by numpy",
    ]
    assert config_of({"device": {"name": "cpu", "autocast": False}})
