"""Processes that append to the same streams, or are killed at it: nothing is lost, doubled or torn."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.stores.sql.event_store import SQLEventStore
from tests.stores.sql.writing import EACH, KILLS, STREAMS, WRITERS, YOUNG, Written


def run(what: str, url: str, folder: Path) -> dict[str, tuple[str, int]]:
    """Let the writers write: the stream and version of each event that was acknowledged, by its id."""
    command = [sys.executable, "-m", "tests.stores.sql.writing", what, url, str(folder)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for path in folder.iterdir() for line in whole_lines(path)]
    return {id_: (stream_id, int(version)) for stream_id, version, id_ in lines}


def whole_lines(path: Path) -> list[str]:
    """The lines of a file, but for one at which its writer was killed."""
    return path.read_text().rpartition("\n")[0].splitlines()


def check(recorded: list[RecordedEvent], acknowledged: dict[str, tuple[str, int]]) -> None:
    """No gap, no double, nothing lost of what was acknowledged, and every batch is whole."""
    assert [r.position for r in recorded] == list(range(1, len(recorded) + 1))
    for stream_id in STREAMS:
        versions = [r.stream_version for r in recorded if r.stream_id == stream_id]
        assert versions == list(range(1, len(versions) + 1))
    there = {r.event_id: (r.stream_id, r.stream_version) for r in recorded}
    assert len(there) == len(recorded)
    assert acknowledged.items() <= there.items()
    batches = Counter((r.event.writer, r.event.append, r.event.of) for r in recorded)
    assert {batch: size for batch, size in batches.items() if size != batch[2]} == {}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "acknowledged"
    folder.mkdir()
    return folder


def test_eight_processes_append_to_shared_streams_and_a_subscriber_hears_each_event_once(
    url: str, folder: Path
) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Written]) as store:
        subscription = store.subscription(ALL, heard.append)
        acknowledged = run("contend", url, folder)
        assert len(acknowledged) == WRITERS * EACH
        assert subscription.wait_for(WRITERS * EACH, timeout=60), subscription
        check(heard, acknowledged)
        assert heard == list(store)
        assert len(heard) == WRITERS * EACH


def test_writers_that_are_killed_leave_whole_batches_and_all_that_was_acknowledged(
    url: str, folder: Path
) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Written]) as store:
        subscription = store.subscription(ALL, heard.append)
        acknowledged = run("be_killed", url, folder)
        assert subscription.wait_for(store.version(ALL), timeout=60), subscription
        recorded = list(store)
        assert heard == recorded
    assert len(list(folder.iterdir())) >= KILLS - KILLS / YOUNG
    check(recorded, acknowledged)
    with SQLEventStore(url, [Written]) as store:
        assert list(store.append("Shared-0", [Written("after", 1, 1, 0)]))[:-1] == recorded
