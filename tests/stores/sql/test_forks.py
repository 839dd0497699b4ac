"""A store stays in the process that opened it: a fork of that process is refused, and opens its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from calamity_lab.errors import StoreError
from calamity_lab.kernel.in_memory_stores import Snapshot
from calamity_lab.kernel.protocols import ALL
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
from tests.stores.sql.notes import Noted, proposed, refused, texts

LONGEST = 30  # seconds that a child may take, on a busy machine


class Child:
    """A fork of this process that does some work, when it is told to."""

    def __init__(self, work: Callable[[Child], None]) -> None:
        self._go, self._told = os.pipe(), os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads, which the child does not have
            self._pid = os.fork()
        if not self._pid:
            self._run(work)

    def _run(self, work: Callable[[Child], None]) -> None:
        code = 1
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST)  # a child that waits for a lock for ever is killed by this
        try:
            work(self)
            code = 0
        except BaseException:  # noqa: BLE001 - it is told, and the child ends
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def say(self) -> None:
        """In the child: it has come so far."""
        os.write(self._told[1], b".")

    def wait(self) -> None:
        """In the child: wait until the parent lets it go on."""
        os.read(self._go[0], 1)

    def hear(self) -> None:
        """In the parent: wait until the child says that it has come so far."""
        os.close(self._told[1])  # the end of a child that dies is heard, too
        assert os.read(self._told[0], 1), "the child died"

    def let_go(self) -> None:
        """In the parent: let the child go on."""
        os.write(self._go[1], b".")

    def join(self) -> None:
        """In the parent: wait for the child's end, which must be a good one."""
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        for end in (*self._go, *self._told):
            with suppress(OSError):  # closed before
                os.close(end)
        assert code == 0


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def any_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database of each kind, in memory too."""
    names = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}
    return str(request.getfixturevalue(names[request.param])) if request.param in names else "sqlite://"


@contextmanager
def busy(store: SQLEventStore) -> Iterator[None]:
    """Other threads append to the store and read from it."""
    ended = threading.Event()

    def append() -> None:
        while not ended.is_set():
            store.append("Note-busy", [Noted("again")] * 3)

    def read() -> None:
        while not ended.is_set():
            list(store.stream("Note-busy", start_version=store.version("Note-busy") - 50))

    threads = [threading.Thread(target=work) for work in (append, append, read, read)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_a_child_is_refused_at_every_call_and_its_parent_goes_on(any_url: str) -> None:
    with (
        SQLEventStore(any_url, [Noted]) as store,
        SQLSnapshotStore(any_url, [Noted]) as snapshots,
        store.subscription(ALL, lambda event: None) as subscription,
    ):
        store.append("Note-1", proposed("before"))
        assert subscription.wait_for(1, timeout=60)

        def work(child: Child) -> None:
            calls: list[Callable[[], Any]] = [
                lambda: store.append("Note-1", [Noted("child")]),
                lambda: store.append("Note-1", []),
                lambda: store.record("Note-1", proposed("child"), 1),
                lambda: store.append_all([("Note-1", *proposed("child"))]),
                lambda: list(store.stream("Note-1")),
                lambda: list(store),
                lambda: len(store),
                lambda: store.version("Note-1"),
                lambda: store.stream_ids,
                lambda: store.subscribe(ALL, print),
                lambda: store.subscription("Note-1", print),
                lambda: subscription.wait_for(2),
                lambda: snapshots.get("Noted-1", Noted),
                lambda: snapshots.put(Snapshot("Noted-1", 1, 1, "id", Noted("child"))),
            ]
            for call in calls:
                with refused(StoreError, str(os.getpid()), str(os.getppid()), "fork"):
                    call()
            for _ in range(2):
                subscription.close()
                snapshots.close()
                store.close()

        for _ in range(2):
            Child(work).join()
        store.append("Note-1", [Noted("after")])
        assert texts(store) == ["before", "after"]
        assert subscription.wait_for(2, timeout=60)


def test_a_child_hears_what_to_do_instead(any_url: str) -> None:
    with SQLEventStore(any_url, [Noted]) as store:
        advice = "use a file" if any_url == "sqlite://" else "Open a new store in this process"

        def work(child: Child) -> None:
            with refused(StoreError, advice, repr(any_url)):
                store.append("Note-1", [Noted("child")])

        Child(work).join()


def test_a_child_is_refused_at_once_while_another_thread_of_its_parent_appends(any_url: str) -> None:
    with SQLEventStore(any_url, [Noted]) as store:

        def work(child: Child) -> None:
            for call in (
                lambda: store.append("Note-1", [Noted("child")]),
                lambda: store.version(ALL),
                lambda: store.subscribe(ALL, print),
            ):
                with refused(StoreError, "fork"):
                    call()
            store.close()

        with busy(store):
            for _ in range(10):
                Child(work).join()
        assert [r.position for r in store] == list(range(1, len(store) + 1))


def test_what_a_child_appends_with_a_store_of_its_own_is_kept_when_its_parent_closes_first(url: str) -> None:
    store = SQLEventStore(url, [Noted])
    store.append("Note-1", [Noted("parent")])
    list(store)

    def work(child: Child) -> None:
        with SQLEventStore(url, [Noted]) as own:
            own.append("Note-2", [Noted("first")])
            child.say()
            child.wait()
            for n in range(50):
                own.append("Note-2", [Noted(str(n))])
            child.say()

    child = Child(work)
    child.hear()
    store.close()
    child.let_go()
    child.join()
    with SQLEventStore(url, [Noted]) as store:
        assert (store.version("Note-1"), store.version("Note-2")) == (1, 51)


def test_children_of_a_busy_parent_lose_nothing_with_stores_of_their_own(url: str) -> None:
    def work(child: Child) -> None:
        with SQLEventStore(url, [Noted]) as own:
            for n in range(20):
                own.append(f"Note-{os.getpid()}", [Noted(str(n))])

    with SQLEventStore(url, [Noted]) as store:
        with busy(store):
            children = [Child(work) for _ in range(5)]
            for child in children:
                child.join()
        of_children = [name for name in store.stream_ids if name != "Note-busy"]
        assert [store.version(name) for name in of_children] == [20] * 5
        assert [r.position for r in store] == list(range(1, len(store) + 1))


def test_an_iteration_goes_on_in_the_parent(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted(str(n)) for n in range(300)])
        iterator = iter(store)
        first = next(iterator)

        def work(child: Child) -> None:
            with refused(StoreError, "fork"):
                list(iterator)

        Child(work).join()
        assert [first, *iterator] == list(store)


def test_a_file_that_is_in_use_at_the_fork_is_refused_in_the_child(sqlite_url: str) -> None:
    with SQLEventStore(sqlite_url, [Noted], timeout=0.2) as store, SQLEventStore("sqlite://") as other:
        connection = store._database._lent.take()  # as another thread has it that reads for long

        def work(child: Child) -> None:
            with refused(StoreError, "forked while another thread", "spawn"):
                SQLEventStore(sqlite_url, [Noted])
            with SQLEventStore("sqlite://", [Noted]) as own:  # another database may be used
                own.append("Note-1", [Noted("child")])

        Child(work).join()
        store._database._lent.give_back(connection)
        store.append("Note-1", [Noted("parent")])

        def write(child: Child) -> None:
            with SQLEventStore(sqlite_url, [Noted]) as own:
                own.append("Note-1", [Noted("child")])

        Child(write).join()
        assert (texts(store), len(other)) == (["parent", "child"], 0)


def test_a_file_that_is_replaced_after_a_fork_is_still_noticed(sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    with SQLEventStore(sqlite_url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        Child(lambda child: None).join()
        os.rename(path, f"{path}.old")  # noqa: PTH104
        sqlite3.connect(path).close()
        with refused(StoreError, "moved, deleted or replaced"):
            store.append("Note-1", [Noted("b")])


def append_elsewhere(url: str, note: str) -> None:
    """What a process of its own does."""
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted(note)])


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_do_not_fork_from_this_one_use_the_store_beside_it(url: str, method: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("here")])
        process: Any = multiprocessing.get_context(method).Process(  # type: ignore[attr-defined]
            target=append_elsewhere, args=(url, method)
        )
        process.start()
        process.join(60)
        assert process.exitcode == 0
        store.append("Note-1", [Noted("here again")])
        assert texts(store) == ["here", method, "here again"]
