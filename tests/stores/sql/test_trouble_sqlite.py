"""A file that is locked, full or not to be written: it is told, nothing is half-written, and all goes on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from calamity_lab.errors import ReadOnlyStore, SerializationError, StoreError, StoreUnavailable, WrongSchema
from calamity_lab.kernel.protocols import ALL
from calamity_lab.stores.sql.event_store import SQLEventStore
from tests.stores.sql.notes import Noted, execute, refused, texts

NOBODY = 65534


@contextmanager
def locked(url: str, how: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Another program holds the file while it writes."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute(how)
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def as_nobody(work: Callable[[], None]) -> None:
    """Do something as a user for whom permissions hold, which they do not for root."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests, which the child lacks
        child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        return
    code = 1
    try:
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        work()
        code = 0
    finally:
        if code:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that nobody can reach: not below pytest's own, which each run of pytest closes to others."""
    with tempfile.TemporaryDirectory(prefix="calamity-open-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        folder.chmod(0o777)


def test_a_locked_file_is_told_and_read_meanwhile_and_written_later(sqlite_url: str) -> None:
    with SQLEventStore(sqlite_url, [Noted], timeout=0.1) as store:
        store.append("Note-1", [Noted("a")])
        with locked(sqlite_url):
            with refused(StoreUnavailable, "cannot append 2 events", "locked", "longer timeout"):
                store.append("Note-1", [Noted("b"), Noted("c")])
            assert texts(store) == ["a"]
        store.append("Note-1", [Noted("d")], expected_version=1)
        assert texts(store) == ["a", "d"]


def test_an_append_waits_for_another_writer(sqlite_url: str) -> None:
    with SQLEventStore(sqlite_url, [Noted]) as store:
        with locked(sqlite_url):
            waiting = threading.Thread(target=store.append, args=("Note-1", [Noted("a")]))
            waiting.start()
            waiting.join(0.1)
            assert waiting.is_alive()
        waiting.join(10)
        assert texts(store) == ["a"]


def test_a_new_file_that_is_locked_is_told(sqlite_url: str) -> None:
    with locked(sqlite_url), refused(StoreUnavailable, "open an event store in", "locked"):
        SQLEventStore(sqlite_url, timeout=0.1)
    with SQLEventStore(sqlite_url, [Noted]) as store:
        assert texts(store.append("Note-1", [Noted("a")])) == ["a"]


def test_a_quota_that_is_used_up_is_told_and_nothing_is_half_written(tmp_path: Path) -> None:
    assert "no room left" in filled(str(tmp_path), "400000")


def test_a_full_disk_is_told_and_nothing_is_half_written(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False
    )
    try:
        # Where no disk may be made, a limit on the size of files has to stand for it.
        told = filled(str(disk), *([] if mounted.returncode == 0 else ["300000"]))
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", disk], check=True)
    assert "no room left" in told
    assert "make room and try again" in told


def filled(*arguments: str) -> str:
    """What a store says when the room that it has is used up."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.stores.sql.filling", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_file_that_may_not_be_written_is_read_and_appends_are_refused(open_folder: Path) -> None:
    path = open_folder / "events.db"
    with SQLEventStore(f"sqlite:///{path}", [Noted]) as store:
        store.append("Note-1", [Noted("a")])
    path.chmod(0o444)

    def work() -> None:
        for read_only in (False, True):
            with SQLEventStore(f"sqlite:///{path}", [Noted], read_only=read_only) as store:
                assert texts(store) == ["a"]
                with refused(ReadOnlyStore, "cannot append"):
                    store.append("Note-1", [Noted("b")])
                assert texts(store) == ["a"]

    as_nobody(work)


def test_a_file_in_a_folder_that_may_not_be_written_tells_how_it_can_be_read(open_folder: Path) -> None:
    path = open_folder / "events.db"
    with SQLEventStore(f"sqlite:///{path}", [Noted]) as store:
        store.append("Note-1", [Noted("a")])
    path.chmod(0o444)
    open_folder.chmod(0o555)

    def work() -> None:
        with refused(ReadOnlyStore, "directory may not be written", "immutable=1"):
            SQLEventStore(f"sqlite:///{path}", [Noted], read_only=True)
        still = f"sqlite:///file:{path}?immutable=1&uri=true"
        with SQLEventStore(still, [Noted], read_only=True) as store:
            assert texts(store) == ["a"]

    as_nobody(work)


def test_a_directory_that_may_not_be_entered_is_named(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir()
    SQLEventStore(f"sqlite:///{closed}/events.db").close()
    closed.chmod(0)

    def work() -> None:
        for read_only in (False, True):
            for name in ("events.db", "new.db", "deeper/new.db"):
                with refused(StoreError, f"may not enter the directory '{closed}'", "permissions"):
                    SQLEventStore(f"sqlite:///{closed}/{name}", read_only=read_only)

    try:
        as_nobody(work)
    finally:
        closed.chmod(0o700)


def test_a_file_in_place_of_a_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "letter").touch()
    for name in ("events.db", "deeper/events.db"):
        with refused(StoreError, f"'{tmp_path}/letter' is a file", "give a path"):
            SQLEventStore(f"sqlite:///{tmp_path}/letter/{name}")


def test_a_file_on_a_read_only_disk_tells_how_it_can_be_read(open_folder: Path) -> None:
    disk = open_folder / "disk"
    disk.mkdir()
    mounted = run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk)
    path = disk / "events.db"
    try:
        with SQLEventStore(f"sqlite:///{path}", [Noted]) as store:
            store.append("Note-1", [Noted("a")])
        if mounted:
            assert run("mount", "-o", "remount,ro", disk)
        else:  # where no disk may be made, a directory that may not be written has to stand for it
            path.chmod(0o444)
            disk.chmod(0o555)

        def work() -> None:
            for read_only in (False, True):
                with refused_by_any("immutable=1"):
                    SQLEventStore(f"sqlite:///{path}", [Noted], read_only=read_only)
            with refused_by_any("file cannot be opened", "read-only disk"):
                SQLEventStore(f"sqlite:///{disk}/new.db")
            with SQLEventStore(f"sqlite:///file:{path}?immutable=1&uri=true", [Noted]) as store:
                assert texts(store) == ["a"]
                with refused(ReadOnlyStore, "cannot append"):
                    store.append("Note-1", [Noted("b")])

        as_nobody(work)
    finally:
        if mounted:
            assert run("umount", disk)


def test_an_immutable_file_with_a_log_beside_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events ü.db"
    still = f"sqlite:///file:{quote(str(path))}?immutable=1&uri=true"
    with SQLEventStore(f"sqlite:///{path}", [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        with refused(StoreError, "events ü.db-wal", "the last events would be missing", "open the copy"):
            SQLEventStore(still, [Noted])
    with SQLEventStore(still, [Noted]) as store:
        assert texts(store) == ["a"]


def run(*command: str | Path) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def refused_by_any(*words: str) -> Iterator[None]:
    """What raises a StoreError, or one of its kinds, in a message with these words."""
    with pytest.raises(StoreError) as caught:
        yield
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_file_that_may_not_even_be_read_is_told(open_folder: Path) -> None:
    path = open_folder / "events.db"
    SQLEventStore(f"sqlite:///{path}").close()
    path.chmod(0)

    def work() -> None:
        with refused(StoreError, "cannot be opened"):
            SQLEventStore(f"sqlite:///{path}")

    as_nobody(work)


def test_a_store_that_is_to_be_read_only_never_writes(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with refused(StoreError, "no file", "leave out read_only=True"):
        SQLEventStore(sqlite_url, read_only=True)
    assert not path.exists()
    path.touch()
    with refused(WrongSchema, "is empty", "leave out read_only=True"):
        SQLEventStore(sqlite_url, read_only=True)
    assert path.read_bytes() == b""
    with SQLEventStore(sqlite_url, [Noted]) as writing:
        writing.append("Note-1", [Noted("a")])
        with SQLEventStore(sqlite_url, [Noted], read_only=True) as reading:
            with refused(ReadOnlyStore, "read_only=True"):
                reading.append("Note-1", [Noted("b")])
            writing.append("Note-1", [Noted("c")])
            assert texts(reading) == ["a", "c"]


def test_a_file_that_was_deleted_while_it_was_open_is_told(sqlite_url: str) -> None:
    with SQLEventStore(sqlite_url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        path = Path(sqlite_url.removeprefix("sqlite:///"))
        path.unlink()
        for _ in range(2):
            with refused(
                StoreError, "moved, deleted or replaced", "nothing was written", "open another store"
            ):
                store.append("Note-1", [Noted("b")])
        path.with_name("events.db-wal").unlink()
        with SQLEventStore(sqlite_url, [Noted]) as another:
            another.append("Note-1", [Noted("c")])
            with refused(StoreError, "moved, deleted or replaced"):
                store.append("Note-1", [Noted("d")])
            assert texts(another) == ["c"]


def test_what_is_in_memory_is_kept_when_a_statement_fails() -> None:
    with SQLEventStore("sqlite://", [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        with refused(WrongSchema, "no such table"):
            store._database.write("INSERT INTO nowhere VALUES (1)", {}, "write to")
        store._database._drop_writer()
        assert texts(store) == ["a"]


@pytest.mark.parametrize("payload", ["not json", '{"text": 5}', "", "[1, 2]"])
def test_a_payload_that_somebody_broke_is_told_by_its_place(sqlite_url: str, payload: str) -> None:
    with SQLEventStore(sqlite_url, [Noted]) as store:
        store.append("Note-1", [Noted("a"), Noted("b")])
        execute(sqlite_url, f"UPDATE events SET payload = '{payload}' WHERE position = 2")
        with refused(SerializationError, "position 2", "version 2 of 'Note-1'", "Noted"):
            texts(store)
        assert store.stream(ALL).__next__().event == Noted("a")
        store.append("Note-1", [Noted("c")], expected_version=2)


def test_metadata_that_somebody_broke_is_told_by_its_place(sqlite_url: str) -> None:
    with SQLEventStore(sqlite_url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        for broken in ("oops", "7", "[]"):
            execute(sqlite_url, f"UPDATE events SET metadata = '{broken}'")
            with refused(SerializationError, "position 1"):
                texts(store)
        execute(sqlite_url, "UPDATE events SET metadata = '{}', recorded_at = 'yesterday'")
        with refused(SerializationError, "position 1", "yesterday"):
            texts(store)
