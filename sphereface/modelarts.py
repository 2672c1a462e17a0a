"""ModelArts, and anything else with URLs: data to this node's disk before a stage, results to a store as they appear.

What comes lies under `cache_path`; the processes of a node share it, and the first one fetches. The paths of a
configuration are found again in what came: of `/data/sphereface/casia_landmark.txt` the longest end that is there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from runfolder import layout
from sphereface import archives, checkpoint
from sphereface.archives import Budget
from sphereface.config import Config
from sphereface.errors import DataError, TransferError
from sphereface.stores import Entry, Store, open_store
from sphereface.uploads import Files, Uploads

log = logging.getLogger(__name__)

MOST_FILES = 20_000_000
MOST_BYTES = 1 << 40
"""At most, and never more than the disk has room for."""

_DATA_KEYS = {
    layout.TRAIN: ("train_data_dir", "train_img_dir"),
    layout.EVALUATE: ("datatxt_src", "pairtxt_src", "datasrc"),
    layout.EXPORT: (),
}
_CHECKPOINT_KEY = {layout.TRAIN: "train_pretrained", layout.EVALUATE: "ckpt_files", layout.EXPORT: "ckpt_files"}


@contextmanager
def at_hand(config: Config, stage: str, environ: Mapping[str, str] = os.environ) -> Iterator[Config]:
    """The configuration with paths of this machine for its URLs; sends what the stage writes, to its end.

    Without `enable_modelarts`, and in msrun's scheduler process, it is the configuration itself. Raises DataError,
    TransferError, ConfigError; OSError for the disk.
    """
    if not config.enable_modelarts or environ.get("MS_ROLE") == "MS_SCHED":
        yield config
        return
    rank = int(environ.get("RANK_ID") or config.rank)
    if config.train_url and rank == 0:
        _require_writable(open_store(config.train_url))
    local = fetch(config, stage)
    if not config.train_url:
        yield local
        return
    checkpoints, everything = _written(local, rank if stage == layout.TRAIN else None, master=rank == 0)
    uploads = Uploads(open_store(config.train_url), checkpoints)
    uploads.start()
    try:
        yield local
    except Exception:
        uploads.stop()
        with contextlib.suppress(TransferError):  # the stage's own failure is what is told
            uploads.send(checkpoints)
        raise
    uploads.stop()
    uploads.send(everything)


def fetch(config: Config, stage: str) -> Config:
    """Brings data, checkpoint and, to go on from, the newest checkpoint sent by an earlier job of this `train_url`."""
    cache = Path(config.cache_path)
    output = Path(config.output) if "output" in config.given else cache / "output"
    local = dataclasses.replace(config, output=str(output))
    if stage == layout.TRAIN:
        local = dataclasses.replace(local, save_ckpt_path=str(output / (config.save_ckpt_path or layout.CHECKPOINTS)))
        if config.train_url and config.resume:
            _bring_back(open_store(config.train_url), local)
    if config.data_url and _DATA_KEYS[stage]:
        folder = once(open_store(config.data_url), cache / "data")
        found: dict[str, Any] = {
            key: str(find(folder, getattr(config, key), key, config.data_url)) for key in _named(config, stage)
        }
        local = dataclasses.replace(local, **found)
    if config.checkpoint_url:
        key = _CHECKPOINT_KEY[stage]
        found = {key: str(_fetch_checkpoint(config, key, cache / "checkpoint"))}
        local = dataclasses.replace(local, **found)
    return local


def once(store: Store, parent: Path, only: str = "") -> Path:
    """The folder below `parent` with all of a store's files (or `only` that one), its archives unpacked in place.

    Of several processes that ask at once one fetches and the others wait; a folder that is there is whole.
    """
    entries = sorted(entry for entry in store.list() if _wanted(entry, only))
    if not entries:
        raise DataError(f"{store.url}: holds no {only or 'files'}")
    digest = hashlib.sha256(json.dumps([store.url, *map(dataclasses.astuple, entries)]).encode()).hexdigest()[:16]
    folder, partial = parent / digest, parent / f".{digest}.partial"
    with _locked(parent / f".{digest}.lock"):
        if folder.is_dir():
            return folder
        shutil.rmtree(partial, ignore_errors=True)
        log.info("fetching %d files from %s", len(entries), store.url)
        _fetch(store, entries, partial)
        partial.rename(folder)
    return folder


def find(folder: Path, value: str, key: str, url: str) -> Path:
    """The longest end of the path `value` that is there in `folder`, or in one of the folders in it ('.': the top).

    Raises DataError.
    """
    parts = [part for part in PurePosixPath(value).parts if part not in ("/", "..")]
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    for place in places:
        for first in range(len(parts) or 1):
            path = place.joinpath(*parts[first:])
            if path.exists():
                return path
    raise DataError(f"{key}: {url} holds nothing like {value}; name it as it lies there ('.' is the top)")


def _require_writable(store: Store) -> None:
    """Finds out now, not at the first checkpoint, that nothing can be sent. Raises TransferError."""
    with tempfile.NamedTemporaryFile() as empty:
        store.upload(Path(empty.name), ".writable")


def _named(config: Config, stage: str) -> list[str]:
    """The keys that name something in the data; without a list and a folder of images, the top is the folder."""
    keys = [key for key in _DATA_KEYS[stage] if getattr(config, key)]
    return keys or (["train_img_dir"] if stage == layout.TRAIN else [])


def _wanted(entry: Entry, only: str) -> bool:
    """Hidden files are half-sent ones, or rubbish."""
    hidden = any(part.startswith(".") and part != ".." for part in PurePosixPath(entry.name).parts)
    return entry.name == only if only else not hidden


def _fetch(store: Store, entries: list[Entry], folder: Path) -> None:
    folder.mkdir(parents=True)
    budget = Budget(min(MOST_BYTES, shutil.disk_usage(folder).free), MOST_FILES)
    budget.take(store.url, bytes=sum(entry.size for entry in entries), files=len(entries))
    paths = [folder / archives.safe_path(entry.name, store.url) for entry in entries]
    for entry, path in zip(entries, paths, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(store, entry, path)
    for path in filter(archives.is_archive, paths):
        log.info("unpacking %s", path.name)
        archives.unpack(path, path.parent, budget)
        path.unlink()


def _download(store: Store, entry: Entry, path: Path) -> None:
    store.download(entry.name, path)
    size = path.stat().st_size
    if size != entry.size:
        raise TransferError(f"{store.url}/{entry.name}: {size} of {entry.size} bytes arrived; run the same again")


def _fetch_checkpoint(config: Config, key: str, parent: Path) -> Path:
    """A file where the URL ends in .ckpt; else what `key` names in the folder, or the folder: its newest."""
    url = config.checkpoint_url.rstrip("/")
    if url.endswith(".ckpt"):
        above, _, name = url.rpartition("/")
        return once(open_store(above), parent, name) / name
    folder, value = once(open_store(url), parent), getattr(config, key)
    return find(folder, value, key, url) if value else folder


def _bring_back(store: Store, config: Config) -> None:
    """The newest checkpoint of rank 0 that was sent, where this node has none: a job that starts again goes on."""
    folder = config.checkpoint_folder
    with _locked(folder / ".fetch.lock"):
        if checkpoint.listed(folder, 0):
            return
        there = {entry.name: entry for entry in _sent(store)}
        above = PurePosixPath(_name(folder / "_", Path(config.output))).parent
        names = [name for name in there if PurePosixPath(name).parent == above]
        for newest in checkpoint.in_order((PurePosixPath(name).name for name in names), 0)[-1:]:
            partial = folder / f".0-{newest}.partial"
            _download(store, there[str(above / newest)], partial)
            partial.rename(folder / newest)


def _sent(store: Store) -> list[Entry]:
    """What is in the folder that results go to; before the first job there is none."""
    try:
        return list(store.list())
    except TransferError as error:
        log.info("%s; nothing to go on from", error)
        return []


def _written(config: Config, rank: int | None, *, master: bool) -> tuple[Files, Files]:
    """(checkpoints of this rank, all that the stage has written), each as it is when asked."""
    output, folder = Path(config.output), config.checkpoint_folder

    def checkpoints() -> Iterator[tuple[Path, str]]:
        for path in checkpoint.listed(folder, rank) if rank is not None else []:
            yield path, _name(path, output)

    def everything() -> Iterator[tuple[Path, str]]:
        yield from checkpoints()
        result = output / layout.RESULT
        if not master or not result.exists():
            return
        for name in json.loads(result.read_text())["files"]:
            yield output / name, name
        yield result, layout.RESULT

    return checkpoints, everything


def _name(path: Path, output: Path) -> str:
    """What a file of the checkpoint folder is called in the store."""
    return (
        path.relative_to(output) if path.is_relative_to(output) else layout.CHECKPOINTS / Path(path.name)
    ).as_posix()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process of this machine at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
