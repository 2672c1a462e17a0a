from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from launcher import ascend
from launcher.errors import UsageError
from launcher.rank_tables import build, form, pods
from launcher.rank_tables.validate import validate

PODS = json.loads((Path(__file__).parents[3] / "rank_tables" / "inputs" / "pods.json").read_bytes())


def read(document: Any) -> tuple[tuple[pods.Allocation, ...], tuple[str, ...]]:
    return pods.allocations(json.dumps(document).encode(), "pods.json")


def given(pod: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(pod["metadata"]["annotations"][ascend.POD_ANNOTATION]))


def give(pod: dict[str, Any], value: Any) -> None:
    pod["metadata"]["annotations"][ascend.POD_ANNOTATION] = value if isinstance(value, str) else json.dumps(value)


@pytest.fixture
def listed() -> dict[str, Any]:
    return copy.deepcopy(PODS)


def test_ranks_go_by_the_index_of_the_job(listed: dict[str, Any]) -> None:
    listed["items"].reverse()
    found, notes = read(listed)
    assert [(one.pod, one.server.server_id, one.index) for one in found] == [
        ("pod/demo-train-1-0-x0q2z", "10.0.0.9", 0),
        ("pod/demo-train-1-1-x1q2z", "10.0.0.10", 1),
    ]
    assert {one.version for one in found} == {"1.0"}
    assert notes == ()


def test_volcano_numbers_pods_by_an_annotation_of_its_own(listed: dict[str, Any]) -> None:
    for pod, index in zip(listed["items"], ("1", "0"), strict=True):
        del pod["metadata"]["annotations"][pods.COMPLETION_INDEX]
        pod["metadata"]["annotations"][ascend.RANK_INDEX_ANNOTATION] = index
    assert [one.server.server_id for one in read(listed)[0]] == ["10.0.0.10", "10.0.0.9"]


def test_without_numbers_ranks_go_by_server_id(listed: dict[str, Any]) -> None:
    del listed["items"][0]["metadata"]["annotations"][pods.COMPLETION_INDEX]
    assert [one.server.server_id for one in read(listed)[0]] == ["10.0.0.10", "10.0.0.9"]


def test_one_pod_alone(listed: dict[str, Any]) -> None:
    found, _ = read(listed["items"][1])
    assert [one.server.server_id for one in found] == ["10.0.0.10"]


def test_pods_of_a_super_pod(listed: dict[str, Any]) -> None:
    for index, pod in enumerate(listed["items"]):
        value = given(pod) | {"super_pod_id": 3}
        for one in value["devices"]:
            one["super_device_id"] = str(index * 4194304 + int(one["device_id"]) * 65537)
        give(pod, value)
    found, _ = read(listed)
    assert {(one.version, one.super_pod) for one in found} == {("1.2", "3")}
    made = build.build([one.server for one in found], "1.2", {one.server.server_id: one.super_pod for one in found})
    assert validate(form.document(made)).errors == ()
    assert [pod.server_ids for pod in made.super_pods] == [("10.0.0.9", "10.0.0.10")]


def test_pods_of_950_list_networks_and_the_best_above_the_super_pod_is_taken(listed: dict[str, Any]) -> None:
    def layer(number: int, device: str, pod: int) -> dict[str, Any]:
        eid = f"{number:08x}{pod:012x}{int(device):012x}"
        address = {"addr_type": "EID", "addr": eid, "ports": [f"0/{number}"], "plane_id": "0"}
        name = f"pod-{pod}" if number == 0 else f"all-{number}"
        return {"net_layer": number, "net_instance_id": name, "net_type": "CLOS", "rank_addr_list": [address]}

    for index, pod in enumerate(listed["items"]):
        value = given(pod)
        for one in value["devices"]:
            inner = [{"level": level, "info": {"UB": layer(level, one["device_id"], index)}} for level in (0, 1)]
            outer = [
                {"level": 2, "info": {"UBoE": layer(2, one["device_id"], index)}},
                {"level": 3, "info": {"RoCE": layer(3, one["device_id"], index)}},
            ]
            one[ascend.LEVEL_LIST] = inner + outer
        give(pod, value)
    found, _ = read(listed)
    assert {one.version for one in found} == {"2.0"}
    assert [level.net_layer for level in found[0].server.devices[0].levels] == [0, 1, 3]
    made = build.build([one.server for one in found], "2.0")
    assert validate(form.document(made)).findings == ()


def test_pods_without_devices_and_ended_ones_are_passed_over(listed: dict[str, Any]) -> None:
    runner = {"metadata": {"name": "demo-runner"}, "spec": {"containers": [{"name": "stage"}]}, "status": {}}
    ended = copy.deepcopy(listed["items"][0])
    ended["metadata"]["name"] = "demo-train-0"
    ended["status"]["phase"] = "Failed"
    listed["items"] += [runner, ended]
    found, notes = read(listed)
    assert len(found) == 2
    assert notes == (
        "pod/demo-runner asks for no huawei.com/ device and is passed over",
        "pod/demo-train-0 has ended (Failed) and is passed over",
    )


def test_a_pod_that_waits_for_its_devices_is_not_left_out(listed: dict[str, Any]) -> None:
    del listed["items"][1]["metadata"]["annotations"][ascend.POD_ANNOTATION]
    listed["items"][1]["status"]["phase"] = "Pending"
    with pytest.raises(
        UsageError, match=r"pod/demo-train-1-1-x1q2z \(Pending\) asks for devices and has no annotation"
    ):
        read(listed)


def test_pods_of_two_jobs(listed: dict[str, Any]) -> None:
    listed["items"][1]["metadata"]["labels"]["batch.kubernetes.io/job-name"] = "other"
    with pytest.raises(UsageError, match=r"is of job 'demo-train-1', pod/\S+ of 'other'; list the pods of one job"):
        read(listed)


def test_two_pods_of_one_number(listed: dict[str, Any]) -> None:
    listed["items"][1]["metadata"]["annotations"][pods.COMPLETION_INDEX] = "0"
    with pytest.raises(UsageError, match="both have the number 0 of their job"):
        read(listed)


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ("", "not JSON"),
        ("[]", "what a device plugin writes is a JSON object"),
        ({"server_id": "a"}, "names no device"),
        ({"server_id": "a", "devices": "0"}, "devices is '0'; it must be a list of objects"),
        ({"server_id": 5, "devices": []}, "server_id is 5; it must be a string"),
        ({"devices": [{"device_id": "0"}]}, "server_id is ''; it must be a string"),
        ({"server_id": "a", "devices": [{"device_id": "x"}]}, "device_id is 'x'; it must be decimal digits"),
        ({"server_id": "a", "devices": [{"device_id": "0", "device_ip": 1}]}, "device_ip is 1; it must be a string"),
        ({"server_id": "a", "devices": [{"device_id": "0", "levelList": [{"level": "0"}]}]}, "level is '0'"),
        (
            {"server_id": "a", "devices": [{"device_id": "0", "levelList": [{"level": 0, "info": {"UB": {}}}]}]},
            "net_layer",
        ),
    ],
)
def test_an_annotation_of_another_form_is_one_line(annotation: Any, said: str, listed: dict[str, Any]) -> None:
    give(listed["items"][0], annotation)
    with pytest.raises(UsageError) as caught:
        read(listed)
    assert said in str(caught.value)
    assert "pod/demo-train-1-0-x0q2z" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "document", [{}, {"items": 3}, {"items": [3]}, {"kind": "NodeList", "items": [{"kind": "Node"}]}]
)
def test_what_is_no_list_of_pods(document: Any) -> None:
    with pytest.raises(UsageError, match="not a list of pods; give it the output of 'kubectl get pods -o json'"):
        read(document)


def test_no_pods() -> None:
    with pytest.raises(UsageError, match="no pod with the annotation"):
        read({"kind": "List", "items": []})


@pytest.mark.parametrize("ports", [1.5, "0/1", [1], {"a": 1}])
def test_ports_of_another_form_are_told(listed: dict[str, Any], ports: Any) -> None:
    address = {"addr_type": "IPV4", "addr": "10.1.0.1", "ports": ports, "plane_id": "0"}
    layer = {"net_layer": 0, "net_instance_id": "rack", "net_type": "CLOS", "rank_addr_list": [address]}
    own = given(listed["items"][0])
    own["devices"][0][ascend.LEVEL_LIST] = [{"level": 0, "info": {"inside": layer}}]
    give(listed["items"][0], own)
    with pytest.raises(UsageError, match=r"annotation: ports is .*; it must be a list of strings"):
        read(listed)
