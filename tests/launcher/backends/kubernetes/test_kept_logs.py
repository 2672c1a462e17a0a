from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from launcher import names, read_log, record, render
from launcher.backends.kubernetes import kept_logs
from launcher.backends.kubernetes.api import Object
from launcher.backends.kubernetes.kept_logs import FolderLogs, NotKept, ReaderPods
from launcher.errors import ApiError, Unreachable
from launcher.plan import Plan, make_plan
from launcher.read_log import Wanted
from launcher.spec import KubernetesSpec, RunSpec
from runfolder import atomic, layout
from tests.launcher.backends.kubernetes.fake_api import FakeApi
from tests.launcher.fake_backend import FakeClock

WANTED = Wanted((("train", 1),))


class Cluster(FakeApi):
    """Readers run as soon as they are made: their program is carried out here."""

    def __init__(self, storage: Path) -> None:
        super().__init__()
        self.storage = storage
        self.phase = "Succeeded"
        self.rotates_above = 1 << 30
        """A reader that prints more than so many characters has only its last line left."""
        self.made: list[Object] = []

    def create(self, resource: str, body: Object) -> Object:
        made = super().create(resource, body)
        self.made.append(body)
        words = body["spec"]["containers"][0]["command"]
        given = read_log._parser().parse_args(words[words.index("launcher.read_log") + 1 :])
        wanted = Wanted(tuple(given.of), given.start, given.rank, given.tail, given.since)
        lines = list(read_log.encode(read_log.read(self.storage / "demo", wanted, 0.0), given.max_bytes))
        whole = sum(len(line) for line in lines) <= self.rotates_above
        self.logs[body["metadata"]["name"]] = lines if whole else lines[-1:]
        self.put(resource, {**made, "status": {"phase": self.phase}})
        return made

    def log(self, pod: str, query: Mapping[str, str]) -> Iterator[str]:
        assert query == {"container": names.CONTAINER}
        return super().log(pod, query)


@pytest.fixture
def plan() -> Plan:
    return make_plan(RunSpec("demo", storage="/storage", kubernetes=KubernetesSpec(namespace="lab")))


@pytest.fixture
def api(tmp_path: Path, plan: Plan) -> Cluster:
    api = Cluster(tmp_path)
    api.put("configmaps", render.manifests(plan)[0])
    atomic.append_lines(layout.attempt_log(tmp_path / "demo" / "train", 1), (f"[rank 0] {n}" for n in range(900)))
    return api


def readers(api: Cluster, plan: Plan) -> ReaderPods:
    clock = FakeClock()
    return ReaderPods(api, plan, clock=clock, sleep=clock.sleep)


def left(api: Cluster) -> list[str]:
    return [name for kind, name in api.objects if kind == "pods"]


def test_a_pod_reads_it_belongs_to_the_plan_and_is_removed(api: Cluster, plan: Plan) -> None:
    records = list(readers(api, plan).read(WANTED))

    assert [each.text for each in records] == [f"[rank 0] {number}" for number in range(900)]
    assert left(api) == []
    (made,) = api.made
    owner = api.objects[("configmaps", "demo-plan")]["metadata"]
    assert [each["uid"] for each in made["metadata"]["ownerReferences"]] == [owner["uid"]]
    assert made["metadata"]["labels"][names.LABEL_ROLE] == names.READER
    assert made["spec"]["activeDeadlineSeconds"] > 0


def test_nothing_asked_for_needs_no_pod(api: Cluster, plan: Plan) -> None:
    assert list(readers(api, plan).read(Wanted(()))) == []
    assert api.made == []


def test_last_lines_in_several_pieces(api: Cluster, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_log, "MAX_BYTES", 10_000)
    wanted = Wanted((("train", 1),), start=-800)

    records = list(readers(api, plan).read(wanted))

    assert [each.number for each in records] == list(range(100, 900))
    assert len(api.made) == 3
    assert left(api) == []


def test_a_reader_whose_own_log_was_rotated_is_asked_for_less(
    api: Cluster, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_log, "MAX_BYTES", 20_000)
    api.rotates_above = 2500

    records = list(readers(api, plan).read(WANTED))

    assert [each.number for each in records] == list(range(900))
    assert len(api.made) > 3


def test_what_never_fits_is_said(api: Cluster, plan: Plan) -> None:
    api.rotates_above = 0

    with pytest.raises(NotKept, match="run/demo on the storage cannot be read: the beginning"):
        list(readers(api, plan).read(WANTED))
    assert left(api) == []


def test_a_connection_that_breaks_again_and_again_does_not_hide_that_it_is_kept(api: Cluster, plan: Plan) -> None:
    """Whoever follows asks again: `Unreachable` passes, `NotKept` does not."""
    api.fail("log", "pods", Unreachable("the connection was cut"), times=kept_logs.TRIES)

    reader = readers(api, plan)
    with pytest.raises(Unreachable, match="was cut"):
        list(reader.read(WANTED))
    assert left(api) == []
    assert [each.number for each in reader.read(WANTED)] == list(range(900))


def test_an_account_that_may_not_make_pods_is_told_so(api: Cluster, plan: Plan) -> None:
    api.fail("create", "pods", ApiError("pods is forbidden: User 'x' cannot create resource 'pods'", 403, "Forbidden"))

    with pytest.raises(NotKept, match="a pod that reads logs of run/demo from the storage cannot be made: pods is"):
        list(readers(api, plan).read(WANTED))


def test_a_reader_that_does_not_start_says_why_and_is_removed(api: Cluster, plan: Plan) -> None:
    api.phase = "Pending"

    with pytest.raises(NotKept, match="from the storage waits: it does not end"):
        list(readers(api, plan).read(WANTED))
    assert left(api) == []


def test_a_reader_that_fails_says_why(api: Cluster, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    api.phase = "Failed"
    monkeypatch.setattr(
        read_log, "encode", lambda _records, _max_bytes: ["error: /storage/runs/demo holds another run"]
    )

    with pytest.raises(NotKept, match="cannot be read: /storage/runs/demo holds another run"):
        list(readers(api, plan).read(WANTED))


def test_a_reader_is_removed_when_somebody_presses_ctrl_c(api: Cluster, plan: Plan) -> None:
    api.phase = "Pending"
    clock = FakeClock()
    clock.interrupt_in(1.0)

    with pytest.raises(KeyboardInterrupt):
        list(ReaderPods(api, plan, clock=clock, sleep=clock.sleep).read(WANTED))
    assert left(api) == []


def test_a_reader_that_cannot_be_removed_now_is_removed_later(api: Cluster, plan: Plan) -> None:
    api.fail("delete", "pods", Unreachable("gone"))
    with kept_logs.opened(api, plan) as kept:
        assert len(list(kept.read(WANTED))) == 900
        assert len(left(api)) == 1
    assert left(api) == []


def test_where_the_folder_is_seen_no_pod_is_made(api: Cluster, tmp_path: Path) -> None:
    spec = RunSpec("demo", storage=str(tmp_path), kubernetes=KubernetesSpec(namespace="lab"))
    plan = make_plan(spec)
    record.write_plan(Path(plan.folder), plan)
    other = make_plan(RunSpec("demo", storage=str(tmp_path), devices=2, kubernetes=spec.kubernetes))

    with kept_logs.opened(api, plan) as kept:
        assert isinstance(kept, FolderLogs)
        assert list(kept.read(WANTED)) == []
    with kept_logs.opened(api, other) as kept:
        assert isinstance(kept, ReaderPods)
