"""Subscriptions with a name: each goes on where it was acknowledged, one worker at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from calamity_lab.errors import InvalidValue, ModelError, ReadOnlyStore, StoreError
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.protocols import ALL, Category
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.stores.overlay import OverlayEventStore
from calamity_lab.stores.sql import checkpoints
from calamity_lab.stores.sql.event_store import SQLEventStore
from tests.stores.sql.notes import Noted, execute, refused
from tests.stores.sql.pooler import Pooler
from tests.stores.sql.test_subscriptions import notes, until

WORKER = """
import sys, time
from calamity_lab.kernel.protocols import ALL
from calamity_lab.stores.sql.event_store import SQLEventStore
from tests.stores.sql.notes import Noted

def say(text):
    sys.stdout.write(f"{text}\\n")  # in one piece, as two threads do so
    sys.stdout.flush()

def tell(recorded):
    say(recorded.event.text)
    if recorded.event.text == sys.argv[2]:
        time.sleep(60)  # it is killed before it returns

with SQLEventStore(sys.argv[1], [Noted]) as store:
    store.subscription(ALL, tell, name="mailer")
    say("ready")
    sys.stdin.read()
"""


class Worker:
    """A process with the subscription that is called mailer; it does not return from the note ``stuck``."""

    def __init__(self, url: str, stuck: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, url, stuck],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def heard(self, count: int) -> list[str]:
        """What it printed next."""
        assert self._process.stdout is not None
        return [self._process.stdout.readline().strip() for _ in range(count)]

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate(timeout=30)


def append(store: SQLEventStore, *texts: str, stream: str = "Note-1") -> None:
    for text in texts:
        store.append(stream, [Noted(text)])


def test_a_name_begins_now_and_goes_on_after_what_was_acknowledged(url: str) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted]) as store:
        append(store, "old")
        store.subscribe(ALL, heard.append, name="mailer")
        append(store, "a", "b")
        until(lambda: notes(heard) == ["a", "b"])
    with SQLEventStore(url, [Noted]) as store:
        append(store, "c")
        store.subscribe(ALL, heard.append, name="mailer")
        append(store, "d")
        until(lambda: len(heard) == 4)
        assert notes(heard) == ["a", "b", "c", "d"]
        (checkpoint,) = store.checkpoints
        assert (checkpoint.name, checkpoint.stream) == ("mailer", "all streams")
        assert f"process {os.getpid()} on" in str(checkpoint.worker)
    with SQLEventStore(url, [Noted]) as store:
        assert store.checkpoints == (checkpoint._replace(position=5, worker=None),)


def test_a_subscription_with_a_name_begins_where_it_is_told(url: str) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted]) as store:
        append(store, "a", "b", "c")
        with store.subscription(ALL, heard.append, name="all of it") as subscription:
            assert subscription.wait_for(3, timeout=60)
        with store.subscription(ALL, heard.append, name="later", start_version=3) as subscription:
            assert subscription.wait_for(3, timeout=60)
        append(store, "d")
        with store.subscription(ALL, heard.append, name="later", start_version=1) as subscription:
            assert subscription.wait_for(4, timeout=60)
        assert notes(heard) == ["a", "b", "c", "c", "d"]


def test_names_of_a_category_and_of_one_stream_go_on_too(url: str) -> None:
    heard: dict[str, list[RecordedEvent]] = {"category": [], "stream": []}
    for n, texts in enumerate(("ab", "cd"), 1):
        with (
            SQLEventStore(url, [Noted]) as store,
            store.subscription(Category("Note"), heard["category"].append, name="category") as category,
            store.subscription("Note-2", heard["stream"].append, name="stream") as stream,
        ):
            append(store, texts[0])
            append(store, texts[1], stream="Note-2")
            append(store, "other", stream="Notebook-1")
            append(store, "other", stream="Note")
            assert stream.wait_for(n, timeout=60)
            assert category.wait_for(store.version(ALL), timeout=60), "it passes what is of no interest"
    assert notes(heard["category"]) == ["a", "b", "c", "d"]
    assert notes(heard["stream"]) == ["b", "d"]


def test_subscriptions_to_a_category_need_no_name(url: str) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted]) as store:
        append(store, "old")
        store.subscribe(Category("Note"), heard.append).subscribe(ALL, heard.append)
        append(store, "other", stream="Notebook-1")
        append(store, "a")
        until(lambda: notes(heard) == ["other", "a"])


def test_an_event_is_acknowledged_when_the_subscriber_has_returned(url: str) -> None:
    heard: list[str] = []

    def fail_once(recorded: RecordedEvent) -> None:
        heard.append(recorded.event.text)
        if heard == ["a", "b"]:
            raise ValueError("no paper")

    with SQLEventStore(url, [Noted]) as store:
        store.subscribe(ALL, fail_once, name="mailer")
        append(store, "a", "b", "c")
        until(lambda: store.subscriber_errors != ())
        (error,) = store.subscriber_errors
        assert isinstance(error, ModelError)
        until(lambda: store.checkpoints[0].worker is None)
        assert store.checkpoints[0].position == 1
        store.subscribe(ALL, fail_once, name="mailer")
        until(lambda: heard == ["a", "b", "b", "c"])


def test_a_second_worker_of_a_name_is_refused_until_the_first_one_ends(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store, SQLEventStore(url, [Noted]) as another:
        first = store.subscription(ALL, print, name="mailer")
        with refused(StoreError, "'mailer'", f"process {os.getpid()}", "Close that one first"):
            another.subscribe(ALL, print, name="mailer")
        with another.subscription(ALL, print, name="printer"):
            first.close()
            another.subscription(ALL, print, name="mailer").close()


def test_of_many_workers_that_begin_at_once_one_has_the_name(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        outcomes: list[str] = []

        def begin() -> None:
            try:
                store.subscription(ALL, print, name="mailer")
                outcomes.append("begun")
            except StoreError:
                outcomes.append("refused")

        threads = [threading.Thread(target=begin) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["begun", *["refused"] * 5]


def test_a_worker_that_is_killed_gives_its_name_and_its_event_to_the_next(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        worker = Worker(url, stuck="b")
        assert worker.heard(1) == ["ready"]
        append(store, "a", "b", "c")
        assert worker.heard(2) == ["a", "b"]
        with refused(StoreError, "has a worker already"):
            store.subscribe(ALL, print, name="mailer")
        worker.kill()
        heard: list[RecordedEvent] = []
        store.subscribe(ALL, heard.append, name="mailer")
        until(lambda: notes(heard) == ["b", "c"])


def test_a_worker_that_ends_well_leaves_nothing_to_do_twice(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        worker = Worker(url)
        assert worker.heard(1) == ["ready"]
        append(store, "a", "b")
        assert worker.heard(2) == ["a", "b"]
        worker.close()
        append(store, "c")
        worker = Worker(url)
        assert set(worker.heard(2)) == {"ready", "c"}
        worker.close()


def test_a_worker_of_another_machine_keeps_its_name_for_some_time_after_its_death(
    url: str,
) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.subscription(ALL, print, name="mailer").close()
        for until_when, answer in ((3600, "refused"), (-3600, "begun")):
            later = (
                f"strftime('%Y-%m-%d %H:%M:%f', 'now', '{until_when} seconds')"
                if url.startswith("sqlite")
                else f"clock_timestamp() + interval '{until_when} seconds'"
            )
            execute(url, f"UPDATE checkpoints SET owner = 'far boot pid 1 x y', owned_until = {later}")
            if answer == "refused":
                assert store.checkpoints[0].worker == "process 1 on far"
                with refused(StoreError, "process 1 on far", "10 seconds"):
                    store.subscribe(ALL, print, name="mailer")
            else:
                assert store.checkpoints[0].worker is None
                store.subscription(ALL, print, name="mailer").close()


def test_a_process_with_the_number_of_a_dead_one_takes_its_name(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.subscription(ALL, print, name="mailer").close()
        owner = f"{checkpoints._machine()} {os.getpid()} another z"  # as in a container that begins again
        execute(url, f"UPDATE checkpoints SET owner = '{owner}', owned_until = {store._database.later}")
        store.subscription(ALL, print, name="mailer").close()


def test_a_claim_is_renewed_while_a_subscriber_takes_long(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LEASE", 0.4)
    begun, done = threading.Event(), threading.Event()

    def take_long(event: RecordedEvent) -> None:
        begun.set()
        done.wait(60)

    with (
        SQLEventStore(url, [Noted]) as store,
        store.subscription(ALL, take_long, name="mailer") as subscription,
    ):
        append(store, "a")
        assert begun.wait(60)
        column = "SELECT owned_until FROM checkpoints"
        (first,) = store._database.rows(column, {}, "read from")
        until(lambda: store._database.rows(column, {}, "read from") > [first])
        done.set()
        assert subscription.wait_for(1, timeout=60)


def test_a_worker_whose_name_was_taken_stops_before_the_next_event(url: str) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted]) as store:
        subscription = store.subscription(ALL, heard.append, name="mailer")
        append(store, "a")
        assert subscription.wait_for(1, timeout=60)
        execute(url, "UPDATE checkpoints SET owner = 'far boot pid 7 x y'")
        append(store, "b", "c", "d")
        until(lambda: not subscription.running)
        assert isinstance(subscription.error, StoreError)
        assert "process 7 on far has it" in str(subscription.error)
        assert len(heard) <= 2, "at most the event that was handed on just then"


def test_a_checkpoint_that_is_moved_back_by_hand_hands_events_on_again(url: str) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted], poll=0.05) as store:
        append(store, "a", "b", "c")
        with store.subscription(ALL, heard.append, name="mailer") as subscription:
            assert subscription.wait_for(3, timeout=60)
            store.move_checkpoint("mailer", 1)  # while it runs
            until(lambda: notes(heard) == ["a", "b", "c", "b", "c"])
        execute(url, "UPDATE checkpoints SET position = 2")  # in SQL, while nobody has it
        store.subscribe(ALL, heard.append, name="mailer")
        until(lambda: notes(heard) == ["a", "b", "c", "b", "c", "c"])
        with refused(InvalidValue, "'nobody'", "'mailer'"):
            store.move_checkpoint("nobody", 1)
        for wrong in (-1, 4, "1", True):
            with refused(InvalidValue, "from 0 to 3"):
                store.move_checkpoint("mailer", wrong)  # type: ignore[arg-type]


def test_a_checkpoint_that_is_moved_while_an_event_is_handled_is_not_overwritten(url: str) -> None:
    heard: list[str] = []
    with SQLEventStore(url, [Noted]) as store:
        append(store, "a", "b", "c")

        def move(recorded: RecordedEvent) -> None:
            heard.append(recorded.event.text)
            if heard == ["a", "b"]:
                store.move_checkpoint("mailer", 0)

        with store.subscription(ALL, move, name="mailer"):
            until(lambda: heard == ["a", "b", "a", "b", "c"])


def test_a_checkpoint_beyond_the_end_of_the_history_is_refused(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        append(store, "a", "b")
        store.subscription(ALL, print, name="mailer", start_version=3).close()
        execute(url, "UPDATE checkpoints SET position = 9")
        for _ in range(2):
            with refused(
                StoreError, "'mailer'", "at 9", "ends at 2", "backup", "move_checkpoint('mailer', 2)"
            ):
                store.subscribe(ALL, print, name="mailer")
        store.move_checkpoint("mailer", 2)
        store.subscribe(ALL, print, name="mailer")


def test_a_name_belongs_to_one_stream(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.subscription("Note-1", print, name="mailer").close()
        for other in (ALL, "Note-2", Category("Note")):
            with refused(InvalidValue, "'mailer'", "stream Note-1", "another name"):
                store.subscribe(other, print, name="mailer")
        for wrong in ("", " ", 7):
            with refused(InvalidValue, "name="):
                store.subscribe(ALL, print, name=wrong)  # type: ignore[arg-type]


def test_names_go_through_a_pooler(postgres_url: str) -> None:
    heard: list[RecordedEvent] = []
    with Pooler(postgres_url) as pooler:
        for texts in ("ab", "cd"):
            with SQLEventStore(pooler.url, [Noted], poll=0.05) as store:
                append(store, *texts)
                with store.subscription(ALL, heard.append, name="mailer") as subscription:
                    assert subscription.wait_for(store.version(ALL), timeout=60)
    assert notes(heard) == ["a", "b", "c", "d"]


def test_a_store_that_may_not_be_written_takes_no_name(url: str) -> None:
    with (
        SQLEventStore(url, [Noted]),
        SQLEventStore(url, [Noted], read_only=True) as store,
        refused(ReadOnlyStore),
    ):
        store.subscribe(ALL, print, name="mailer")


@pytest.mark.parametrize("store", [InMemoryEventStore(), OverlayEventStore(InMemoryEventStore())])
def test_values_take_categories_and_say_why_they_take_no_name(store: Any) -> None:
    heard: list[RecordedEvent] = []
    with refused(InvalidValue, "'mailer'", "checkpoint", "SQLEventStore"):
        store.subscribe(ALL, print, name="mailer")
    store = store.subscribe(Category(Noted), heard.append)
    for stream in ("Noted-1", "Note-1", "Noted", "Noted-2"):
        store = store.append(stream, [Noted(stream)])
    assert notes(heard) == ["Noted-1", "Noted-2"]


@pytest.mark.parametrize("wrong", ["", "Note-1", 7, None])
def test_a_category_is_a_name_without_a_dash(wrong: Any) -> None:
    with refused(InvalidValue, "before its first dash"):
        Category(wrong)
