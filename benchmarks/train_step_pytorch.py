"""The worker of train_step.py for PyTorch: the same network, loss and optimiser, in .bench-venv.

Arguments, standard input and output as those of train_step_mindspore.py, whose .npz it starts from.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LAMBDA = 5.0


class Residual(nn.Module):  # type: ignore[misc]
    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(first, second)

    def forward(self, x: Any) -> Any:
        return x + self.body(x)


class Training(nn.Module):  # type: ignore[misc]
    """Network and A-Softmax head on the values of the other side."""

    def __init__(self, values: dict[str, Any], smooth: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage in (1, 2, 3, 4):
            convolutions = sum(name.startswith(f"conv{stage}_") for name in values)
            layers.append(activated(values, stage, 1))
            units = range(2, convolutions, 2)
            layers += [Residual(activated(values, stage, i), activated(values, stage, i + 1)) for i in units]
        dense = nn.Linear(*reversed(values["fc5.weight"].shape))
        dense.weight.data, dense.bias.data = (torch.from_numpy(values[f"fc5.{part}"]) for part in ("weight", "bias"))
        self.network = nn.Sequential(*layers, nn.Flatten(), dense)
        self.fc6 = nn.Parameter(torch.from_numpy(values["fc6.weight"]))
        self.smooth = smooth

    def forward(self, images: Any, labels: Any) -> Any:
        x = self.network(images)
        length = x.norm(dim=1, keepdim=True)
        logits = x @ functional.normalize(self.fc6, dim=0)
        index = labels[:, None]
        cosine = (logits.gather(1, index) / length).clamp(-1, 1)
        with torch.no_grad():
            k = sum((cosine <= math.cos(math.pi * j / 4)).float() for j in (1, 2, 3))
        square = cosine * cosine
        phi = (1 - 2 * (k % 2)) * (8 * (square * square - square) + 1) - 2 * k
        logits = logits.scatter(1, index, length * (LAMBDA * cosine + phi) / (1 + LAMBDA))
        # PyTorch spreads its smoothing over all N classes, the label's among them; this is the same distribution.
        classes = logits.shape[1]
        return functional.cross_entropy(logits, labels, label_smoothing=self.smooth * classes / (classes - 1))


def activated(values: dict[str, Any], stage: int, i: int) -> nn.Module:
    weight = torch.from_numpy(values[f"conv{stage}_{i}.weight"])
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, stride=2 if i == 1 else 1, padding=1, bias=False)
    convolution.weight.data = weight
    prelu = nn.PReLU(weight.shape[0])
    prelu.weight.data = torch.from_numpy(values[f"relu{stage}_{i}.w"])
    return nn.Sequential(convolution, prelu)


def main() -> None:
    setting = json.loads(sys.argv[1])
    torch.set_num_threads(setting["threads"])
    values = dict(np.load(setting["exchange"]))
    images, labels = torch.from_numpy(values["images"]), torch.from_numpy(values["labels"]).long()
    training = Training(values, smooth=0.15)
    plain = [parameter for parameter in training.parameters() if parameter.dim() == 1]
    decayed = [parameter for parameter in training.parameters() if parameter.dim() > 1]
    optimiser = torch.optim.SGD(
        [{"params": decayed, "weight_decay": 5e-4}, {"params": plain, "weight_decay": 0.0}], lr=0.01, momentum=0.9
    )
    print(json.dumps({"version": f"PyTorch {torch.__version__}"}), flush=True)
    for line in sys.stdin:
        began = time.perf_counter()
        for _ in range(int(line)):
            optimiser.zero_grad()
            loss = training(images, labels)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(training.parameters(), 5.0)
            if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
                raise SystemExit("the loss is not finite")
            optimiser.step()
        print(json.dumps({"seconds": (time.perf_counter() - began) / int(line), "loss": loss.item()}), flush=True)


if __name__ == "__main__":
    main()
