from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys

import pytest

from sphereface import runtime
from sphereface.config import resolve
from sphereface.errors import ConfigError, UnsupportedError


@pytest.mark.parametrize("target", ["Ascend", "GPU"])
def test_a_device_that_is_not_there_is_refused_in_one_line(target: str) -> None:
    import mindspore as ms

    if ms.hal.is_available(target):
        pytest.skip(f"this machine has {target}")
    with pytest.raises(UnsupportedError, match=f"device_target is {target}") as caught:
        runtime.start(resolve(None, {"device_target": target}), {})
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_process_by_itself_is_rank_0_of_1() -> None:
    environ: dict[str, str] = {}
    ranks = runtime.start(resolve(), environ)
    assert (ranks.rank, ranks.size, ranks.is_master) == (0, 1, True)
    assert "OMP_NUM_THREADS" not in environ


CONVOLUTIONS = """
import mindspore as ms, numpy as np
from sphereface import runtime
from sphereface.config import resolve
runtime.start(resolve())
from sphereface.model import SphereNet
network = SphereNet("sphereface4a")
images = ms.Tensor(np.zeros((4, 3, 112, 96), np.float32))
ms.value_and_grad(network, None, network.trainable_params())(images)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="oneDNN's choice among implementations for x86_64")
def test_no_convolution_is_left_to_the_reference_code_of_onednn() -> None:
    """Which is some 50 times slower, and what oneDNN would take on a processor with AVX-512."""
    environ = {**os.environ, "ONEDNN_VERBOSE": "1"}
    environ.pop("ONEDNN_MAX_CPU_ISA", None)
    printed = subprocess.run(
        [sys.executable, "-c", CONVOLUTIONS], env=environ, capture_output=True, text=True, check=True, timeout=200
    ).stdout
    done = re.findall(r",exec,cpu,convolution,([^,]+),(\w+)", printed)
    assert {kind for _, kind in done} == {"forward_training", "backward_data", "backward_weights"}, printed[-2000:]
    assert [name for name, _ in done if "ref" in name] == []


def test_another_choice_of_onednns_instructions_is_kept() -> None:
    environ = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}
    runtime.use_device(resolve(), environ)
    assert environ["ONEDNN_MAX_CPU_ISA"] == "AVX512_CORE"


def test_ranks_that_nobody_launched_are_refused() -> None:
    with pytest.raises(ConfigError, match="group_size is 4, but this process was started alone"):
        runtime.start(resolve(None, {"group_size": 4}), {})


@pytest.mark.parametrize(
    ("environ", "launched"),
    [
        ({"MS_ROLE": "MS_WORKER"}, True),
        ({"RANK_TABLE_FILE": "/run/rank_table.json"}, True),
        ({"OMPI_COMMAND": "python", "PMIX_RANK": "1"}, True),
        ({"OMPI_COMMAND": "python"}, False),
        ({"RANK_ID": "1", "RANK_SIZE": "2"}, False),
    ],
)
def test_who_starts_ranks_is_known_by_what_mindspore_itself_looks_at(environ: dict[str, str], launched: bool) -> None:
    assert runtime.is_launched(environ) is launched


def test_a_signal_before_the_first_step_ends_at_once() -> None:
    with pytest.raises(SystemExit) as caught:
        runtime.StopRequest().receive(signal.SIGTERM, None)
    assert caught.value.code == 143


def test_once_deferred_the_first_signal_asks_and_the_second_ends() -> None:
    stop = runtime.StopRequest()
    stop.defer()
    stop.receive(signal.SIGINT, None)
    assert (stop.asked, stop.exit_code) == (signal.SIGINT, 130)
    with pytest.raises(SystemExit) as caught:
        stop.receive(signal.SIGTERM, None)
    assert caught.value.code == 143


def test_a_rank_stopped_by_another_exits_as_by_sigterm() -> None:
    assert runtime.StopRequest().exit_code == 143
