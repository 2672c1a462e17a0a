from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.launcher.conftest import Call

DATA = [f"--set=evaluate.{key}=faces/{key}" for key in ("datatxt_src", "pairtxt_src", "datasrc")]


def documents(text: str) -> dict[str, Any]:
    return {f"{one['kind']} {one['metadata']['name']}": one for one in yaml.safe_load_all(text)}


def test_it_prints_what_kubectl_applies_and_needs_no_cluster(call: Call) -> None:
    done = call("evaluate", "--name", "june", "a.ckpt", "b.ckpt", *DATA, "--device", "ascend910", "-n", "lab")
    assert done.code == 0, done.err
    made = documents(done.out)
    job = made["Job june"]
    assert job["metadata"]["namespace"] == "lab"
    assert job["spec"]["completions"] == 2
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["huawei.com/Ascend910"] == "1"
    assert "--datasrc=/storage/faces/datasrc" in container["args"]
    assert made["ConfigMap june-checkpoints"]["data"]["checkpoints.txt"] == "a.ckpt\nb.ckpt\n"


def test_checkpoints_may_come_from_a_file(call: Call, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# of june\nb.ckpt\nc.ckpt\n")
    done = call("evaluate", "--name", "june", "a.ckpt", "--list", "list.txt", *DATA, "--parallelism", "3", "-o", "json")
    items = yaml.safe_load(done.out)["items"]
    assert items[0]["data"]["checkpoints.txt"] == "a.ckpt\nb.ckpt\nc.ckpt\n"
    assert items[4]["spec"]["parallelism"] == 3


def test_the_evaluation_of_a_runs_spec_is_taken_over(call: Call, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "train: {train_img_dir: faces, net: sphereface4a}\n"
        "evaluate: {datatxt_src: f/l.txt, pairtxt_src: f/p.txt, datasrc: f, batch_size: 8}\n"
        "kubernetes: {image: 'lab/sphereface:7'}\n"
        "policy: {evaluate: {retries: 5}}\n"
    )
    done = call("evaluate", "--name", "june", "a.ckpt", "--spec", "run.yaml")
    spec = documents(done.out)["Job june"]["spec"]
    assert spec["backoffLimitPerIndex"] == 5
    container = spec["template"]["spec"]["containers"][0]
    assert container["image"] == "lab/sphereface:7"
    assert "--batch_size=8" in container["args"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no checkpoint is named"),
        (("a.ckpt", "--parallelism", "0"), "--parallelism must be at least 1"),
        (("a.ckpt", "--list", "none"), "none: cannot read the list"),
        (("a.ckpt", "--set", "evaluate.net=x"), "evaluate.net must be one of"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(call: Call, words: tuple[str, ...], message: str) -> None:
    done = call("evaluate", "--name", "june", *DATA, *words)
    assert done.code == 2
    assert done.out == ""
    assert message in done.err
