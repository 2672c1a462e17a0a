from __future__ import annotations

import re
from pathlib import Path

import pytest

from launcher import ascend, plan, profiles, render, spec_file, spec_kubernetes
from launcher.backends import Place
from tools import make_kubernetes_docs

DOCS = make_kubernetes_docs.DOCS
KEYS = {"kubernetes.md": spec_kubernetes.KEYS, "profiles.md": profiles.KEYS}


@pytest.mark.parametrize("target", make_kubernetes_docs.PAGES)
def test_the_table_is_what_the_dataclass_says(target: Path) -> None:
    page = target.read_text(encoding="utf-8")
    wanted = make_kubernetes_docs.text(page, make_kubernetes_docs.PAGES[target])
    assert page == wanted, "run `python -m tools.make_kubernetes_docs`"


@pytest.mark.parametrize("target", make_kubernetes_docs.PAGES)
def test_every_key_has_its_row_with_a_meaning(target: Path) -> None:
    kind, keys = make_kubernetes_docs.PAGES[target], KEYS[target.name]
    table = make_kubernetes_docs.text("<!-- keys -->\n<!-- end of keys -->", kind)
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(keys)
    assert make_kubernetes_docs.meanings(kind).keys() - {"name"} == set(keys)


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_spec_and_the_profile_of_the_page_work(tmp_path: Path) -> None:
    spec, profile = blocks("kubernetes.md", "yaml")[:2]
    (tmp_path / "run.yaml").write_text(spec)
    place = Place("kubernetes", base=Path("/storage"), here=False, sections=("kubernetes",))
    found = spec_file.resolve(
        Path("run.yaml"), {}, (), folder=tmp_path, user_config=tmp_path / "none", environment={}, place=place
    )
    job = render.stage_manifests(plan.make_plan(found.spec))["train"]
    assert job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["huawei.com/Ascend910"] == "8"
    (tmp_path / "launcher" / "profiles").mkdir(parents=True)
    (tmp_path / "launcher" / "profiles" / "site.yaml").write_text(profile)
    assert profiles.load_profile("site", {"XDG_CONFIG_HOME": str(tmp_path)}).resource == "huawei.com/npu"


def test_the_profile_of_the_page_about_them_is_without_findings(tmp_path: Path) -> None:
    (text,) = blocks("profiles.md", "yaml")
    (tmp_path / "npu.yaml").write_text(text)
    profile, findings = profiles.check(tmp_path / "npu.yaml")
    assert findings == ()
    assert profile is not None
    assert (profile.resource, profile.board, profile.shm) == ("huawei.com/npu", "ascend910b", "4Gi")


def test_the_page_about_them_names_every_profile_and_every_board_of_one() -> None:
    page = (DOCS / "profiles.md").read_text(encoding="utf-8")
    names = profiles.names({"HOME": "/nowhere"})
    assert [name for name in names if f"`{name}`" not in page] == []
    rows = dict(re.findall(r"^\| `(ascend\w+)` \| (.*) \|$", page, re.MULTILINE))
    assert rows.keys() == {profiles.load_profile(name, {"HOME": "/nowhere"}).board for name in names} - {""}
    for name, row in rows.items():
        counts = ascend.BOARDS[name].counts or (ascend.BOARDS[name].max_device_id + 1,)
        assert {str(count) for count in counts} <= set(re.findall(r"\d+", row))
