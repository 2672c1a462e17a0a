from __future__ import annotations

import re
from pathlib import Path

from launcher import plan, profiles, render, spec_file, spec_kubernetes
from launcher.backends import Place
from tools import make_kubernetes_docs


def test_the_table_is_what_the_dataclass_says() -> None:
    page = make_kubernetes_docs.TARGET.read_text(encoding="utf-8")
    assert page == make_kubernetes_docs.text(page), "run `python -m tools.make_kubernetes_docs`"


def test_every_key_has_its_row_with_a_meaning() -> None:
    page = make_kubernetes_docs.text(make_kubernetes_docs.TARGET.read_text(encoding="utf-8"))
    assert [key for key in spec_kubernetes.KEYS if page.count(f"| `{key}` |") != 1] == []
    assert make_kubernetes_docs.meanings().keys() == set(spec_kubernetes.KEYS)


def blocks(language: str) -> list[str]:
    page = make_kubernetes_docs.TARGET.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)


def test_the_spec_and_the_profile_of_the_page_work(tmp_path: Path) -> None:
    spec, profile = blocks("yaml")[:2]
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
