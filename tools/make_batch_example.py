"""Writes `k8s_templates/batch-evaluation/example.yaml`: a batch to edit by hand, made from the templates themselves.

Run this after a change of a template; a test compares the file with what would be written.
"""

from __future__ import annotations

from pathlib import Path

from launcher.batch.manifests import manifests
from launcher.plan import make_plan
from launcher.spec import KubernetesSpec, RunSpec
from launcher.terminal import output
from runfolder import atomic

TARGET = Path(__file__).resolve().parent.parent / "k8s_templates" / "batch-evaluation" / "example.yaml"

HEAD = """\
# Judges a list of checkpoints on LFW-style pairs, one index of a Job each, and ranks them. kubectl is all it takes:
#
#     kubectl apply -f example.yaml
#     kubectl wait --for=condition=complete job/june-summary --timeout=2h
#     kubectl logs job/june-summary
#
# Everything is kept on the claim under batch/june/. What is judged already is not judged again, so after a mended
# checkpoint or a longer list: kubectl delete -f example.yaml, then apply it anew. Edit what has a comment that begins
# with "#!". `launcher evaluate` makes the same from a command line; made by tools/make_batch_example.py.
"""

CHECKPOINTS = (
    "runs/demo/train/checkpoints/0-3_126.ckpt",
    "runs/demo/train/checkpoints/0-4_126.ckpt",
    "runs/demo/train/checkpoints/0-5_126.ckpt",
)

SPEC = RunSpec(
    name="june",
    storage="/storage",
    stages=("evaluate",),
    evaluate={
        "datatxt_src": "/storage/demo/faces/test/landmark.txt",
        "pairtxt_src": "/storage/demo/faces/test/pairs.txt",
        "datasrc": "/storage/demo/faces/test/images",
    },
    kubernetes=KubernetesSpec(memory="2Gi"),
)

COMMENTS = (
    ("  name: june-checkpoints", "! Another batch: another name in place of june, everywhere."),
    ("  namespace: default", "! Your namespace, in every document (or remove the lines and use kubectl -n)."),
    ("  checkpoints.txt: |", "! One checkpoint a line, relative to the storage or absolute; the first has index 0."),
    ("  completions: 3", "! As many as the list has lines."),
    ("  parallelism: 2", "! So many at once."),
    ("  backoffLimitPerIndex: 2", "! So often an index is tried again, where that can help."),
    (
        "    - action: FailIndex",
        " The checkpoint or the configuration is bad: this index has failed, the others go on.",
    ),
    ("    - action: Ignore", " Preempted, evicted or drained with its node: tried again, and not counted."),
    ("        image: sphereface:cpu", "! The image, by digest where you can; the same in the summary's Job."),
    ('        - "--"', "! Options of `sphereface evaluate`."),
    (
        '            memory: "2Gi"',
        "! Request and limit. An accelerator: add its resource to both, as huawei.com/Ascend910.",
    ),
    ("          claimName: sphereface", "! The claim (ReadWriteMany) that holds checkpoints and faces; twice."),
)
"""The first line that is so, and the comment above it. Those that begin with `!` say what to edit."""


def text() -> str:
    """Raises ValueError for a comment whose line is not there."""
    lines = output.manifests(manifests(make_plan(SPEC), CHECKPOINTS), "yaml").splitlines()
    for wanted, comment in COMMENTS:
        place = lines.index(wanted)
        indent = wanted[: len(wanted) - len(wanted.lstrip())]
        lines.insert(place, f"{indent}#{comment}")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    atomic.write_text(TARGET, text())
