"""The image of the C++ programs: they answer in a pod of another user whose root file system is read-only."""

from __future__ import annotations

import pytest

from tests.cluster.access import Kubectl, Namespace
from tests.cluster.chores import FACES, TRAIN, carry_out

pytestmark = pytest.mark.cluster


def test_programs_answer_as_they_do_elsewhere(kubectl: Kubectl, namespace: Namespace, infer310_image: str) -> None:
    script = """
        id -u; touch /x 2> /dev/null || echo read-only
        for tool in gcc g++ cmake make pip pip3; do ! command -v $tool; done
        for name in infer310 preprocess310 lite_run lite_convert; do sphereface_$name --help | grep -c ^usage; done
        sphereface_infer310 --mindir_path none --device cpu --input0_path /tmp 2>&1 || echo $?
        python -m launcher.pod --help | grep -c ^usage
    """
    printed = carry_out(kubectl, namespace, "programs", infer310_image, script).splitlines()
    assert printed[:6] == ["10001", "read-only", "1", "1", "1", "1"]
    assert printed[6].startswith("sphereface_infer310: error: ")
    assert printed[7:] == ["2", "1"]


def test_a_checkpoint_becomes_an_accuracy(kubectl: Kubectl, namespace: Namespace, infer310_image: str) -> None:
    """Conversion and inference, on what training in the same image has left."""
    script = f"""
        {FACES.format(folder="faces", identities=2)}
        {TRAIN.format(faces="faces", epochs=1, output="train")} > train.log 2>&1 || {{ tail train.log; exit 1; }}
        sphereface export --ckpt_files train/checkpoints --output model --format lite
        sphereface_infer310 --mindir_path model/sphereface.lite.mindir --device cpu --output results \
            --image_path faces/test/images --landmarks faces/test/landmark.txt --pairs faces/test/pairs.txt
    """
    printed = carry_out(kubectl, namespace, "infer", infer310_image, script).splitlines()
    assert printed[-1].startswith("LFWACC="), printed
