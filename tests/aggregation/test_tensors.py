"""Torch tensors: numpy's results on the CPU, and the kernels for a GPU compared with numpy's."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from guanyu_mpi.aggregation import RULES, bind
from guanyu_mpi.aggregation.kernels import NumpyKernels
from guanyu_mpi.aggregation.kernels.device import TorchKernels
from guanyu_mpi.seeds import stream

Float32s = npt.NDArray[np.float32]

every_rule = pytest.mark.parametrize("name", sorted(RULES))
DEVICES = pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
        ),
    ],
)


def normal(n: int, d: int, *path: str | int) -> Float32s:
    return stream(6, "tensors", n, d, *path).standard_normal((n, d), dtype=np.float32)


@every_rule
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensor_on_the_cpu_gives_what_the_array_gives(name: str, dtype: torch.dtype) -> None:
    tensor = torch.from_numpy(normal(11, 300)).to(dtype)
    rule = bind(name, n=11, f=2)
    result = rule(tensor)
    assert result.dtype is dtype
    assert np.array_equal(result.numpy(), rule(tensor.numpy()))


@every_rule
def test_bfloat16_is_computed_in_float32_and_rounded_once(name: str) -> None:
    tensor = torch.from_numpy(normal(11, 300)).bfloat16()
    rule = bind(name, n=11, f=2)
    result = rule(tensor)
    assert result.dtype is torch.bfloat16
    assert torch.equal(result, rule(tensor.float()).bfloat16())


@every_rule
def test_tensor_is_left_as_it_was_and_shares_no_memory(name: str) -> None:
    tensor = torch.from_numpy(normal(11, 300)).requires_grad_()
    before = tensor.detach().clone()
    result = bind(name, n=11, f=2)(tensor)
    result += 1
    assert not result.requires_grad
    assert torch.equal(tensor, before)


@every_rule
def test_layout_of_a_tensor_does_not_matter(name: str) -> None:
    tensor = torch.from_numpy(normal(11, 300))
    rule = bind(name, n=11, f=2)
    assert torch.equal(rule(tensor.T.contiguous().T), rule(tensor))


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.complex64])
def test_other_types_are_refused(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match="median combines tensors of float32, float64 or bf"):
        bind("median", n=3, f=1)(torch.zeros((3, 2), dtype=dtype))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"needs shape \(3, d\), got \(4, 2\)"):
        bind("median", n=3, f=1)(torch.zeros((4, 2)))


def test_row_that_is_not_finite_is_left_out() -> None:
    tensor = torch.tensor([[1.0, 5.0], [2.0, 7.0], [torch.inf, 0.0]])
    assert bind("median", n=3, f=1)(tensor).tolist() == [1.5, 6.0]


@every_rule
@DEVICES
@pytest.mark.parametrize("n", [11, 12])
def test_kernels_of_a_gpu_agree_with_numpy(name: str, device: str, n: int) -> None:
    vectors = normal(n, 3000)
    rows = list(torch.from_numpy(vectors).to(device).unbind(0))
    rule = bind(name, n=n, f=2, kernels=NumpyKernels())
    result = rule.combined(rows, TorchKernels())
    assert result.device.type == device
    assert np.allclose(result.cpu().numpy(), rule(vectors), rtol=1e-5, atol=1e-6)


@every_rule
@DEVICES
def test_kernels_of_a_gpu_take_bfloat16(name: str, device: str) -> None:
    tensor = torch.from_numpy(normal(11, 3000)).bfloat16().to(device)
    rule = bind(name, n=11, f=2)
    result = rule.combined(list(tensor.unbind(0)), TorchKernels())
    assert result.dtype is torch.bfloat16
    wide = rule(tensor.cpu().float())
    # Means are rounded once at the end, and centres that choose between values once more.
    assert torch.allclose(result.cpu().float(), wide, rtol=2e-2, atol=2e-2)


@every_rule
@DEVICES
def test_kernels_of_a_gpu_leave_rows_out_that_are_not_finite(name: str, device: str) -> None:
    vectors = normal(15, 300)
    vectors[[1, 14], 7] = [np.nan, np.inf]
    rule = bind(name, n=15, f=3, kernels=NumpyKernels())
    result = rule.combined(list(torch.from_numpy(vectors).to(device).unbind(0)), TorchKernels())
    assert np.allclose(result.cpu().numpy(), rule(vectors), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 13, 14])
@pytest.mark.parametrize("d", [0, 1, 1000])
def test_order_statistics_of_a_gpu_are_exact(n: int, d: int) -> None:
    vectors = normal(n, d)
    rows = list(torch.from_numpy(vectors).unbind(0))
    assert np.allclose(TorchKernels().median(rows).numpy(), NumpyKernels().median(list(vectors)))
    for mine, theirs in zip(
        TorchKernels().ranked(rows, range(n)), np.sort(vectors, axis=0), strict=True
    ):
        assert np.array_equal(mine.numpy(), theirs)
