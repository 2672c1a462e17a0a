"""PReLU with a backward pass of its own: with it a whole training step on a CPU takes about a quarter less time.

The stock gradient operator is slow there; this one is built of fast ones. Output and gradient of the input are
bit-equal to the stock ones (but for the sign of a zero), and the gradient of the slope is nearer to float64.
"""

from __future__ import annotations

from typing import Any

from mindspore import Parameter, nn, ops
from mindspore.ops.auto_generate import BiasAddGrad, ReluGrad


class _Rectify(nn.Cell):  # type: ignore[misc]  # mindspore has no types
    """max(x, 0) + w * min(x, 0). The slope is an input, so that `bprop` can return its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = ops.ReLU()
        self.relu_grad = ReluGrad()
        self.channel_sum = BiasAddGrad("NCHW")

    def construct(self, x: Any, w: Any) -> Any:
        positive = self.relu(x)
        return positive + w.reshape(1, -1, 1, 1) * (x - positive)

    def bprop(self, x: Any, w: Any, _out: Any, dout: Any) -> Any:
        positive = self.relu_grad(dout, x)
        negative = dout - positive
        return positive + w.reshape(1, -1, 1, 1) * negative, self.channel_sum(negative * x)


class PReLU(nn.Cell):  # type: ignore[misc]
    """x where x > 0, else w[c] * x: He et al., "Delving Deep into Rectifiers", ICCV 2015.

    Input and output (B, C, H, W), float32 or float16; the parameter `w` is (C,). For graph mode: in PyNative mode it
    is right but doubles the time of a training step.
    """

    def __init__(self, w: Parameter) -> None:
        super().__init__(auto_prefix=False)
        self.w = w
        self.rectify = _Rectify()

    def construct(self, x: Any) -> Any:
        return self.rectify(x, self.w.astype(x.dtype))


class PlainPReLU(nn.Cell):  # type: ignore[misc]
    """The same function by the one stock operator that exporters know as PReLU."""

    def __init__(self, w: Parameter) -> None:
        super().__init__(auto_prefix=False)
        self.w = w
        self.prelu = ops.PReLU()

    def construct(self, x: Any) -> Any:
        return self.prelu(x, self.w.astype(x.dtype))
