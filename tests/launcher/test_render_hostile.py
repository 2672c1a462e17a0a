"""2,000 seeded cases: whatever the values are, a manifest keeps its structure and each value arrives as it is."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launcher import render, spec_file
from launcher.backends import Place
from launcher.errors import SpecError
from launcher.plan import Plan, from_json, make_plan, sealed
from launcher.spec import DRIVER_OF_HOST, KubernetesSpec, RunSpec
from tests.launcher import hostile

CASES = 2_000
PARTS = 8

Made = Callable[[Plan], list[dict[str, Any]]]

MADE: dict[str, Made] = {
    "stage": lambda plan: list(render.stage_manifests(plan).values()),
    "runner": lambda plan: [render.runner_job(plan)],
    "cleaner": lambda plan: [render.cleaner_job(plan)],
    "reader": lambda plan: [render.reader_pod(plan, "x", ["cat", plan.folder, *plan.stages[0].env.values()])],
    "all": render.manifests,
}

SLOTS = (
    *("run", "folder", "env_name", "env", "namespace", "image", "policy", "secret", "claim", "cpu", "memory", "shm"),
    *("selector_key", "selector", "class", "label_key", "label", "annotation_key", "annotation"),
    *("resource_key", "device_label_key", "device_label", "mount"),
    "queue",
)
"""Every place of a plan that holds a text of the user's, or of a profile's."""


def plan_of(texts: dict[str, str]) -> Plan:
    """A plan with these texts in its slots, as no spec would let them in."""
    kubernetes = KubernetesSpec(
        namespace=texts["namespace"],
        image=texts["image"],
        image_pull_policy=texts["policy"],
        image_pull_secret=texts["secret"],
        claim=texts["claim"],
        cpu=texts["cpu"],
        memory=texts["memory"],
        shm=texts["shm"],
        driver=DRIVER_OF_HOST,
        node_selector={texts["selector_key"]: texts["selector"]},
        priority_class=texts["class"],
        queue=texts["queue"],
        labels={texts["label_key"]: texts["label"]},
        annotations={texts["annotation_key"]: texts["annotation"]},
    )
    spec = RunSpec(
        texts["run"],
        device="gpu",
        storage=texts["folder"],
        stages=("export",),
        export={"ckpt_files": texts["folder"]},
        env={texts["env_name"]: texts["env"]},
        kubernetes=kubernetes,
    )
    made = make_plan(spec)
    profile = dataclasses.replace(
        made.profile,
        resource=texts["resource_key"],
        labels={texts["device_label_key"]: texts["device_label"]},
        mounts=(texts["mount"], f"{texts['mount']}/"),
    )
    return sealed(dataclasses.replace(made, profile=profile))


def hostile_texts(source: random.Random) -> dict[str, str]:
    texts = {slot: f"/{hostile.text(source)}" for slot in SLOTS}  # a path of a plan is absolute
    texts |= {
        slot: text[:100] for slot, text in texts.items() if slot.endswith("_key")
    }  # YAML takes 1,024, escapes included
    texts["mount"] += "x"  # a "/" at its end means a folder
    texts["image"] = texts["image"].replace("$", "")  # no image has one, and its name is in the environment too
    return texts


def benign() -> dict[str, str]:
    return {slot: f"SLOT-{number:02d}-END" for number, slot in enumerate(SLOTS)}


def replaced(value: Any, texts: dict[str, str]) -> Any:
    """`value` with every benign text replaced by the one of its slot: what must come out."""
    if isinstance(value, dict):
        return {replaced(key, texts): replaced(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, texts) for item in value]
    if isinstance(value, str):
        for before, after in texts.items():
            value = value.replace(before, after)
    return value


def as_run(manifest: dict[str, Any]) -> dict[str, Any]:
    """With command, args and env as the container's process sees them: after Kubernetes' own replacement."""
    spec = manifest.get("spec", {})
    pod = spec.get("template", {}).get("spec") or spec
    for container in pod.get("containers", ()):
        known = {item["name"]: item.get("value", "") for item in container["env"]}
        for item in container["env"]:
            if "value" in item:
                item["value"] = expanded(item["value"], known)
        for key in ("command", "args"):
            container[key] = [expanded(word, known) for word in container.get(key, ())]
    return manifest


def expanded(text: str, known: dict[str, str]) -> str:
    """What the kubelet makes of it (k8s.io/kubernetes/third_party/forked/golang/expansion)."""
    made, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            made, at = made + text[at], at + 1
        elif text[at + 1] == "$":
            made, at = f"{made}$", at + 2
        elif text[at + 1] == "(" and (end := text.find(")", at)) > 0:
            name = text[at + 2 : end]
            made, at = made + known.get(name, f"$({name})"), end + 1
        else:
            made, at = made + text[at : at + 2], at + 2
    return made


def test_the_kubelets_replacement() -> None:
    assert expanded("$(A) $$(A) $(B) $A $ $$ $(", {"A": "x"}) == "x $(A) $(B) $A $ $ $("


@pytest.mark.parametrize("part", range(PARTS))
def test_no_value_changes_the_structure_and_each_arrives_as_it_is(part: int) -> None:
    calm = plan_of(benign())
    wanted = {kind: [as_run(made) for made in function(calm)] for kind, function in MADE.items()}
    for case in range(part, CASES, PARTS):
        source = random.Random(case)  # noqa: S311
        texts = hostile_texts(source)
        plan = plan_of(texts)
        kind = "all" if case % 40 == 0 else ("stage", "stage", "runner", "cleaner", "reader")[case // PARTS % 5]
        made = [as_run(manifest) for manifest in MADE[kind](plan)]
        # Path() tidies a folder; what the plan says is what must arrive.
        mapping = {**dict(zip(benign().values(), texts.values(), strict=True)), calm.hash: plan.hash}
        mapping = {calm.folder: plan.folder, **mapping}
        expected = replaced(wanted[kind], mapping)
        if kind == "all":
            for manifest in (made[0], expected[0]):
                data = manifest.pop("data")
            assert from_json(json.loads(render.manifests(plan)[0]["data"]["plan.json"])) == plan
            assert data.keys() == {"plan.json", "stages.json"}
        assert made == expected, f"case {case}"


CLUSTER = Place("kubernetes", base=Path("/storage"), here=False, sections=("kubernetes",))

KEYS = (
    *(
        "name",
        "storage",
        "device",
        "stages",
        "env.A",
        "train.train_img_dir",
        "kubernetes.namespace",
        "kubernetes.image",
    ),
    *("kubernetes.claim", "kubernetes.cpu", "kubernetes.memory", "kubernetes.shm", "kubernetes.tolerations"),
    *("kubernetes.driver",),
    *("kubernetes.user", "kubernetes.labels.a", "kubernetes.node_selector.a", "kubernetes.priority_class"),
    *("kubernetes.image_pull_policy", "kubernetes.image_pull_secret", "kubernetes.start_deadline_s"),
    "kubernetes.queue",
    *("kubernetes.labels.", "kubernetes.annotations.", "kubernetes.node_selector.", "env.", "kubernetes.", ""),
)
"""Keys that end with "." are completed by a hostile text."""


@pytest.mark.parametrize("part", range(PARTS))
def test_a_spec_takes_a_text_or_refuses_it_in_one_line(part: int, tmp_path: Path) -> None:
    said = [refusal(case, tmp_path) for case in range(part, CASES, PARTS)]
    refused = [text for text in said if text]
    assert len(refused) > CASES / PARTS / 2
    for text in refused:
        assert text.isprintable(), text
        assert len(text) < 1_000, text


def refusal(case: int, folder: Path) -> str:
    """What is said to a spec that holds one hostile text; "" where it is taken."""
    source = random.Random(case)  # noqa: S311
    key = source.choice(KEYS)
    full = key + hostile.text(source, longest=4) if key.endswith(".") or not key else key
    try:
        spec_file.resolve(
            None,
            {"stages": "export"},
            ["export.ckpt_files=/c", f"{full}={hostile.text(source, longest=6)}"],
            folder=folder,
            user_config=folder / "none.yaml",
            environment={},
            place=CLUSTER,
        )
    except SpecError as error:
        return str(error)
    return ""
