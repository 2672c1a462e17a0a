from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from launcher.commands import ranktable
from tests.launcher.conftest import Call

TABLES = Path(__file__).parents[3] / "rank_tables"


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    """What the README's commands read, in the working directory."""
    for name in ("inputs", "templates", "examples"):
        shutil.copytree(TABLES / name, tmp_path / name)


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def spoilt(tmp_path: Path) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((tmp_path / "examples" / "two-servers.json").read_bytes())
    first, second = (server["device"] for server in table["server_list"])
    second[0]["device_ip"] = first[0]["device_ip"]
    second[1]["odd"] = "1"
    (tmp_path / "hccl.json").write_text(json.dumps(table))
    return table


def test_a_table_in_order(call: Call) -> None:
    done = call("ranktable", "validate", "examples/two-servers.json", "--device", "ascend910", "--rank-size", "16")
    assert (done.code, done.err) == (0, "")
    assert done.out == "examples/two-servers.json: valid (version 1.0, 2 servers, 16 ranks; for ascend910)\n"


def test_errors_are_exit_2_and_each_says_what_to_do(call: Call, tmp_path: Path) -> None:
    spoilt(tmp_path)
    done = call("ranktable", "validate", "hccl.json")
    assert done.code == 2
    head, error, warning = done.out.split("\n\n")
    assert head.startswith("hccl.json: 1 error, 1 warning (version 1.0")
    assert error.splitlines()[0] == "error: device-ip-unique: each device_ip stands once in the table"
    assert ".server_list[1].device[0].device_ip   192.168.100.101 is the address of .server_list[0].device[0]" in error
    assert "otherwise: HCCL refuses the table" in error
    assert "to do: give each device's port its own address" in error
    assert warning.startswith("warning: unknown-key")


def test_warnings_alone_are_exit_0(call: Call) -> None:
    done = call("ranktable", "validate", "examples/one-device.json")
    assert done.code == 0
    assert "valid, 1 warning" in done.out


def test_json_tells_errors_and_warnings_apart(call: Call, tmp_path: Path) -> None:
    spoilt(tmp_path)
    done = call("ranktable", "validate", "hccl.json", "-o", "json")
    assert done.code == 2
    told = json.loads(done.out)
    assert (told["schema"], told["valid"], told["version"], told["ranks"]) == (1, False, "1.0", 16)
    (error,), (warning,) = told["errors"], told["warnings"]
    assert set(error) == {"rule", "path", "text", "must", "consequence", "remedy", "source"}
    assert (error["rule"], error["path"]) == ("device-ip-unique", ".server_list[1].device[0].device_ip")
    assert warning["rule"] == "unknown-key"


def test_many_findings_of_one_rule_are_cut_for_people_only(call: Call, tmp_path: Path) -> None:
    table = json.loads((tmp_path / "examples" / "two-servers.json").read_bytes())
    for server in table["server_list"]:
        for device in server["device"]:
            device["rank_id"] = int(device["rank_id"])
    (tmp_path / "hccl.json").write_text(json.dumps(table))
    done = call("ranktable", "validate", "hccl.json")
    assert done.out.count("rank_id is ") == 10
    assert "… and 6 more; -o json shows them" in done.out
    assert len(json.loads(call("ranktable", "validate", "hccl.json", "-o", "json").out)["errors"]) == 16


def test_a_config_map_from_stdin(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = (tmp_path / "examples" / "910b-16.json").read_text()
    stdin(monkeypatch, json.dumps({"kind": "ConfigMap", "data": {"hccl.json": table}}).encode())
    done = call("ranktable", "validate", "-", "--device", "ascend910b")
    assert (done.code, done.out) == (0, "-: valid (version 1.0, 1 server, 16 ranks; for ascend910b)\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "bad.json:1: not JSON"),
        (b'{"status": 1, "status": 2}', "key 'status' is given twice"),
        (b'{"rank_count": NaN}', "NaN is not JSON"),
        (b"[" * 100_000, "more than 32 levels deep"),
        (b"[]", "a rank table is a JSON object"),
        (b"\xff", "not UTF-8"),
        (b'{"a": "' + b"x" * (64 << 20) + b'"}', "larger than 64 MiB"),
    ],
)
@pytest.mark.parametrize("action", ["validate", "explain"])
def test_a_file_that_is_no_table_is_one_line_and_exit_2(
    action: str, content: bytes, said: str, call: Call, tmp_path: Path
) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    done = call("ranktable", action, "bad.json")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("action", ["validate", "explain", "from-pods"])
@pytest.mark.parametrize("file", ["none.json", "inputs"])
def test_a_file_that_cannot_be_read(action: str, file: str, call: Call) -> None:
    done = call("ranktable", action, file)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {file}: cannot read it")


def test_a_name_without_json(call: Call, tmp_path: Path) -> None:
    shutil.copy(tmp_path / "examples" / "two-servers.json", tmp_path / "table.txt")
    done = call("ranktable", "validate", "table.txt")
    assert done.code == 2
    assert "error: file-name" in done.out


def test_a_hostile_table_is_safe_for_a_terminal(call: Call, tmp_path: Path) -> None:
    table = spoilt(tmp_path)
    table["server_list"][0]["server_id"] = "\x1b[2J\nerror: no\ud800"
    table["\x1b[31mred\x1b[0m"] = "\n"
    (tmp_path / "hccl.json").write_text(json.dumps(table))
    for action in ("validate", "explain"):
        done = call("ranktable", action, "hccl.json")
        assert "\x1b" not in done.out + done.err
        assert "\nerror: no" not in done.out


def test_explain_draws_rings_and_ranks(call: Call) -> None:
    done = call("ranktable", "explain", "examples/two-servers.json", "--device", "ascend910")
    assert done.code == 0
    assert "10.0.0.2   10.0.0.2   0-7       0-3, 4-7   8-15" in done.out
    assert "12     10.0.0.2   4-7    4        192.168.100.112" in done.out
    assert done.out.endswith("Nothing is unusual.\n")


def test_explain_draws_super_pods_and_layers(call: Call) -> None:
    assert "SUPER POD" in call("ranktable", "explain", "examples/a3-super-pod.json").out
    assert "0 server-1; 1 cluster" in call("ranktable", "explain", "examples/950-two-servers.json").out


def test_explain_says_what_is_unusual(call: Call, tmp_path: Path) -> None:
    table = json.loads((tmp_path / "examples" / "two-pods.json").read_bytes())
    first = table["server_list"][0]["device"]
    first[0]["rank_id"], first[3]["rank_id"] = "3", "0"
    first[0]["device_port"] = "16666"
    (tmp_path / "hccl.json").write_text(json.dumps(table))
    out = call("ranktable", "explain", "hccl.json").out
    assert "its form does not say which board it is for; ascend910 is assumed" in out
    assert "server 10.0.0.9: ranks do not rise with the devices" in out
    assert "ports are given (device_port)" in out
    assert "warning: rank-order at .server_list[0].server_id" in out


def test_explain_draws_what_can_be_read_of_a_broken_table(call: Call, tmp_path: Path) -> None:
    (tmp_path / "hccl.json").write_text('{"status": "completed", "version": "1.0", "server_list": [{"device": [{}]}]}')
    done = call("ranktable", "explain", "hccl.json")
    assert done.code == 0
    assert "error: missing-key at .server_list[0].server_id: server_id is missing (and 3 more)" in done.out


def test_render_of_a_spec(call: Call, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("device: ascend910\ndevices: 4\n")
    done = call("ranktable", "render", "run.yaml", "--inventory", "inputs/two-servers.yaml", "--nodes", "1")
    (server,) = json.loads(done.out)["server_list"]
    assert (done.code, server["server_id"], len(server["device"])) == (0, "10.0.0.1", 4)
    alone = json.loads(call("ranktable", "render", "run.yaml").out)
    assert [device["rank_id"] for device in alone["server_list"][0]["device"]] == ["0", "1", "2", "3"]


def test_render_of_the_spec_of_the_folder(call: Call, tmp_path: Path) -> None:
    (tmp_path / "launcher.yaml").write_text("device: ascend910b\ndevices: 2\n")
    assert json.loads(call("ranktable", "render").out)["server_list"][0]["server_id"] == "node_0"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "device cpu has no rank table; say --device with one of ascend910, ascend910b, ascend910c, ascend950"),
        (("run.yaml",), "device gpu has no rank table"),
        (("--device", "ascend910", "--devices", "3"), "ascend910 takes 1, 2, 4, 8 devices of a server, not 3"),
        (("--device", "ascend910", "--nodes", "2"), "the table would be wrong: device-ip-required at .server_list[0]"),
        (("--device", "ascend910", "--nodes", "2", "--server", "a"), "--nodes is 2, but --server names 1"),
        (("--inventory", "inputs/two-servers.yaml", "--nodes", "3"), "has 2 servers, not 3"),
        (("--inventory", "inputs/two-servers.yaml", "--server", "a"), "both name the servers"),
        (("--inventory", "inputs/two-servers.yaml", "--devices", "16"), "ascend910 takes 1, 2, 4, 8"),
        (("--inventory", "none.yaml"), "none.yaml: cannot read it"),
        (("--inventory", "inputs/a3-super-pod.yaml", "--device", "ascend910"), "board-version at .version"),
        (("--devices", "many"), "must be a whole number from 1 on, not 'many'"),
    ],
)
def test_what_cannot_be_rendered(words: tuple[str, ...], said: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("device: gpu\n")
    done = call("ranktable", "render", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_from_hccn_of_two_servers(call: Call, tmp_path: Path) -> None:
    (tmp_path / "b.conf").write_text("".join(f"address_{one}=192.168.{one}.9\n" for one in range(8)))
    done = call("ranktable", "from-hccn", "10.0.0.2=b.conf", "10.0.0.1=inputs/hccn.conf", "--devices", "4")
    table = json.loads(done.out)
    assert [server["server_id"] for server in table["server_list"]] == ["10.0.0.1", "10.0.0.2"]
    assert table["server_list"][1]["device"][0] == {"device_id": "0", "device_ip": "192.168.0.9", "rank_id": "4"}


def test_from_hccn_of_one_file_names_this_machine(call: Call) -> None:
    table = json.loads(call("ranktable", "from-hccn", "inputs/hccn.conf").out)
    assert table["server_list"][0]["server_id"]


def test_from_hccn_of_one_server_twice(call: Call) -> None:
    done = call("ranktable", "from-hccn", "a=inputs/hccn.conf", "a=inputs/hccn.conf")
    assert done.code == 2
    assert "server 'a' is named twice" in done.err


def test_from_pods_of_stdin(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, (tmp_path / "inputs" / "pods.json").read_bytes())
    done = call("ranktable", "from-pods")
    assert done.out == (tmp_path / "examples" / "two-pods.json").read_text()
    assert done.err.startswith("warning: rank-order at .server_list[0].server_id")


@pytest.mark.parametrize("action", ranktable.ACTIONS)
def test_each_action_has_help_with_examples(action: str, call: Call) -> None:
    done = call("ranktable", action, "--help")
    assert done.code == 0
    assert done.out.startswith(f"usage: launcher ranktable {action}")
    assert "examples:" in done.out


def test_an_unknown_flag_of_an_action(call: Call) -> None:
    done = call("ranktable", "validate", "x.json", "--devise", "ascend910")
    assert done.code == 2
    assert done.err.splitlines() == [
        "error: unknown flag --devise (did you mean '--device'?)",
        "See 'launcher ranktable validate --help'.",
    ]
