"""Against MindSpore's own PReLU, and against float64."""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn, ops

from sphereface.prelu import PlainPReLU, PReLU

CHANNELS = 8
Arrays = tuple[np.ndarray[Any, Any], ...]


class Backward(nn.Cell):  # type: ignore[misc]
    """(x, dout) -> dx, dw."""

    def __init__(self, cell: nn.Cell) -> None:
        super().__init__()
        self.cell = cell
        self.weights = ms.ParameterTuple(cell.trainable_params())
        self.gradient = ops.GradOperation(get_all=True, get_by_list=True, sens_param=True)

    def construct(self, x: Any, dout: Any) -> Any:
        inputs, weights = self.gradient(self.cell, self.weights)(x, dout)
        return inputs[0], weights[0]


@pytest.fixture(scope="module")
def inputs() -> Arrays:
    random = np.random.default_rng(1)
    x, dout = random.standard_normal((2, 16, CHANNELS, 14, 12), np.float32)
    x[0, 0, 0, :4] = [0.0, -0.0, 1e-30, -1e-30]
    return x, dout, random.standard_normal(CHANNELS, np.float32)


def run(cell: nn.Cell, x: Any, dout: Any) -> Arrays:
    """y, dx, dw."""
    values = cell(Tensor(x)), *Backward(cell)(Tensor(x), Tensor(dout))
    return tuple(value.asnumpy() for value in values)


def slope(w: Any) -> Parameter:
    return Parameter(Tensor(w), name="w")


def test_equals_the_stock_operator_bit_for_bit(inputs: Arrays) -> None:
    x, dout, w = inputs
    stock = nn.PReLU(CHANNELS)
    stock.trainable_params()[0].set_data(Tensor(w))
    y, dx, dw = run(PReLU(slope(w)), x, dout)
    stock_y, stock_dx, stock_dw = run(stock, x, dout)
    assert np.array_equal(y, stock_y)
    assert np.array_equal(dx, stock_dx)
    exact = (np.minimum(x, 0).astype(np.float64) * dout).sum(axis=(0, 2, 3))
    assert np.abs(dw - exact).max() < 2e-5
    assert np.abs(dw - exact).max() <= 2 * np.abs(stock_dw - exact).max()


def test_plain_form_gives_the_same_output(inputs: Arrays) -> None:
    x, _, w = inputs
    w = slope(w)
    assert np.array_equal(PReLU(w)(Tensor(x)).asnumpy(), PlainPReLU(w)(Tensor(x)).asnumpy())


def test_float16_input_gives_float16_output_and_a_float32_slope_gradient(inputs: Arrays) -> None:
    x, dout, w = inputs
    y, dx, dw = run(PReLU(slope(w)), x.astype(np.float16), dout.astype(np.float16))
    assert (y.dtype, dx.dtype, dw.dtype) == (np.float16, np.float16, np.float32)
    assert np.allclose(y, np.where(x > 0, x, x * w.reshape(1, -1, 1, 1)), rtol=2e-3, atol=1e-3)


def test_frozen_slope_still_lets_the_input_gradient_through(inputs: Arrays) -> None:
    x, _, w = inputs
    frozen = slope(w)
    frozen.requires_grad = False
    gradient = ops.grad(PReLU(frozen))(Tensor(x)).asnumpy()
    assert np.array_equal(gradient, np.where(x > 0, np.float32(1), np.broadcast_to(w.reshape(1, -1, 1, 1), x.shape)))
