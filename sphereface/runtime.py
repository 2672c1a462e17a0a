"""The process as MindSpore sees it: device, ranks, threads, and how it is asked to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from types import FrameType

from sphereface.config import Config
from sphereface.errors import ConfigError, SpherefaceError, UnsupportedError

TOPOLOGY_TIMEOUT = 120
"""Seconds that ranks wait for one another at the start; MindSpore's own default lets them retry without an end."""
COLLECTIVE_TIMEOUT = 3600
"""Seconds that a rank on CPU waits in an all-reduce. After MindSpore's 30 it was the rank that waited which failed, by
`Launch kernel failed`, where another was held up by its storage; whoever started the ranks knows which one hangs."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together."""

    rank: int
    size: int

    @property
    def is_master(self) -> bool:
        return self.rank == 0


def start(config: Config, environ: MutableMapping[str, str] = os.environ) -> Ranks:
    """Sets MindSpore to graph mode on the configured device and joins the other ranks, if there are any.

    Ranks come from RANK_ID and RANK_SIZE, as whoever starts them sets them. In msrun's scheduler process this call does
    not return: MindSpore ends the process when the last rank has left. Raises UnsupportedError for a device that is not
    there.
    """
    size = int(environ.get("RANK_SIZE") or config.group_size)
    rank = int(environ.get("RANK_ID") or config.rank)
    _quiet(environ)
    if config.device_target == "CPU":
        _share_cores(environ, size)
    use_device(config, environ)
    if size == 1:
        return Ranks(0, 1)
    if "is_distributed" in config.given and not config.is_distributed:
        raise ConfigError(f"is_distributed is false, but {size} ranks were started; leave it out, or start one process")
    if not is_launched(environ):
        raise ConfigError(
            f"group_size is {size}, but this process was started alone; "
            f"start the ranks with `launcher submit --devices {size}` or msrun"
        )
    environ.setdefault("MS_TOPO_TIMEOUT", str(TOPOLOGY_TIMEOUT))
    environ.setdefault("MS_CPU_COMM_OP_TIMEOUT", str(COLLECTIVE_TIMEOUT))
    from mindspore import communication

    try:
        communication.init()
    except RuntimeError as error:
        raise SpherefaceError(f"rank {rank} could not join the other ranks: {_first_line(error)}") from None
    if environ.get("MS_ROLE") == "MS_SCHED":
        raise SystemExit(0)
    return Ranks(communication.get_rank(), communication.get_group_size())


def is_launched(environ: Mapping[str, str]) -> bool:
    """By msrun, by rank table, or by mpirun, as MindSpore's init() tells them apart."""
    by_mpi = environ.get("OMPI_COMMAND") and environ.get("PMIX_RANK")
    return bool(environ.get("MS_ROLE") or environ.get("RANK_TABLE_FILE") or by_mpi)


def require_agreement(ranks: Ranks, step: int) -> None:
    """Raises SpherefaceError where not all ranks go on from the same step, as where they share no storage."""
    if ranks.size > 1 and _sum(step) != float(step) * ranks.size:
        raise SpherefaceError(
            f"rank {ranks.rank} goes on from step {step}, other ranks from another; every rank must see the same "
            "checkpoints (save_ckpt_path on shared storage)"
        )


def await_all(ranks: Ranks) -> bool:
    """Whether every rank has come here; false where MindSpore has given up waiting for one.

    None leaves while another still writes: at its exit MindSpore may crash (2.10 in about 1 of 100, in the event loop
    that `TCPClient::Finalize` joins), and whoever started the ranks ends all of them as soon as one has ended badly.
    """
    try:
        return ranks.size == 1 or _sum(1) == ranks.size
    except RuntimeError:
        return False


def _sum(value: float) -> float:
    """Over all ranks."""
    import mindspore as ms
    from mindspore import ops

    return float(ops.AllReduce(ops.ReduceOp.SUM)(ms.Tensor([value], ms.float32)).asnumpy()[0])


def use_device(config: Config, environ: MutableMapping[str, str] = os.environ) -> None:
    """Graph mode on `device_target`. Raises UnsupportedError where this machine or MindSpore lacks it."""
    _quiet(environ)
    target = config.device_target
    if target == "CPU":
        _shun_reference_convolutions(environ)
    import mindspore as ms

    if target != "CPU" and not ms.hal.is_available(target):
        raise UnsupportedError(
            f"device_target is {target}, but MindSpore finds none here; use CPU, or a machine with its driver"
        )
    number = int(environ.get("DEVICE_ID") or config.device_id) if target != "CPU" else 0
    ms.set_context(mode=ms.GRAPH_MODE)
    try:
        ms.set_device(target, number)
    except (RuntimeError, ValueError) as error:
        raise UnsupportedError(f"{target} {number} cannot be used: {_first_line(error)}") from None


@dataclass
class StopRequest:
    """SIGTERM or Ctrl-C: ends the process at once, or, once deferred, asks to stop after the step under way.

    A second signal always ends the process at once.
    """

    asked: int = field(default=0, init=False)
    """The signal that asked to stop; 0 where none did."""
    _deferred: bool = field(default=False, init=False)

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.receive)

    def defer(self) -> None:
        """From here on there are steps to be finished."""
        self._deferred = True

    @property
    def exit_code(self) -> int:
        return 128 + (self.asked or signal.SIGTERM)

    def receive(self, number: int, _frame: FrameType | None) -> None:
        if self.asked or not self._deferred:
            raise SystemExit(128 + number)
        self.asked = number


def _quiet(environ: MutableMapping[str, str]) -> None:
    """MindSpore's errors only; must come before its import."""
    environ.setdefault("GLOG_v", "3")


def _shun_reference_convolutions(environ: MutableMapping[str, str]) -> None:
    """oneDNN's own variable, which it reads at its first operator; whoever sets another value has it.

    MindSpore hands it plain layouts (NCHW, OIHW). With AVX-512 it then prefers an implementation that falls through to
    its reference code (`jit_uni_ncsp:conv+ref:any` under ONEDNN_VERBOSE=1; oneDNN 3.10.1 of MindSpore 2.10): on an AMD
    EPYC 1 image/s instead of the 57 of the matrix product (`x64:gemm:jit`) that it takes with AVX2.
    """
    environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")


def _share_cores(environ: MutableMapping[str, str], size: int) -> None:
    """Ranks on one CPU share its cores instead of each starting a thread for all of them; before MindSpore's import."""
    if size > 1:
        environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // size)))


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
