from __future__ import annotations

import socket
from pathlib import Path

from launcher.processes import msrun


def test_command_joins_the_ranks_and_leaves_their_logs_to_us() -> None:
    command = msrun.command(["python", "-m", "x"], msrun.Team(8, 8, port=8118), Path("/logs"))

    assert command[-3:] == ["python", "-m", "x"]
    assert {"--join=True", "--worker_num=8", "--local_worker_num=8", "--master_port=8118"} <= set(command)
    assert "--tail_worker_log=8" in command


def test_a_pod_of_several_starts_its_own_ranks_and_finds_the_scheduler_in_the_first() -> None:
    command = msrun.command(["python"], msrun.Team(16, 8, 1, "10.0.0.7", 5000), Path("/logs"))

    wanted = {"--worker_num=16", "--local_worker_num=8", "--node_rank=1", "--master_addr=10.0.0.7"}
    assert wanted | {"--master_port=5000", "--tail_worker_log=16"} <= set(command)


def test_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind((msrun.HOST, msrun.free_port()))
        assert listener.getsockname()[1] >= 1024


def test_a_taken_port_is_known_by_the_schedulers_words() -> None:
    assert msrun.port_was_taken("[ERROR] … InitTCPServer] Failed to init the tcp server.")
    assert not msrun.port_was_taken("RuntimeError: Failed to initialize distributed job cluster")


def test_exit_codes_of_ranks_are_read_from_msruns_words() -> None:
    log = (
        "[ERROR] ME(7661:1,MainProcess):2026-11-24-22:54:46.397.000 [mindspore/x.py:365] "
        "Worker process 7675 exit with exception. Error code: -9.\nother words\n"
    )

    assert msrun.worker_exits(log) == {7675: -9}
