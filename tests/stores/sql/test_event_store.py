"""The event store on SQL beyond the suite: several streams at once, long streams, threads."""

from __future__ import annotations

import random
import threading
import time
from _thread import interrupt_main
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, make_dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from calamity_lab.errors import (
    CommitConflict,
    InvalidValue,
    SerializationError,
    StoreError,
    WrongExpectedVersion,
)
from calamity_lab.kernel.clocks_and_ids import seeded_ids, system_clock, ticking_clock
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.protocols import ALL, ANY, BACKWARDS, NO_STREAM, STREAM_EXISTS
from calamity_lab.kernel.recorded import NO_METADATA, ProposedEvent, RecordedEvent
from calamity_lab.stores.serializer.names import UnknownEvent
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.stores.sql import sqlite
from calamity_lab.stores.sql.event_store import SQLEventStore
from tests.stores.sql.notes import Noted, execute, proposed, refused, texts


def test_events_of_several_streams_are_recorded_in_the_given_order(url: str) -> None:
    a, b, c, d = proposed("a", "b", "c", "d")
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-2", [a])
        recorded = store.append_all(
            [("Note-1", b), (Identity("Note", "2").stream_id, c), ("Note-1", d)],
            expected_versions={"Note-1": NO_STREAM, "Note-2": 1, "Note-3": ANY},
        )
        assert [(r.stream_id, r.stream_version, r.position) for r in recorded] == [
            ("Note-1", 1, 2),
            ("Note-2", 2, 3),
            ("Note-1", 2, 4),
        ]
        assert list(recorded) == list(store.stream(ALL, start_version=2))


def test_where_streams_moved_on_nothing_is_written_and_all_of_them_are_named(url: str) -> None:
    a, b, c, d = proposed("a", "b", "c", "d")
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [a]).append("Note-2", [b])
        expected: dict[str, Any] = {"Note-1": NO_STREAM, "Note-2": 1, "Note-3": STREAM_EXISTS, "Note-4": 0}
        with refused(CommitConflict, "Note-1 (", "now 1", "Note-3 (", "written nothing") as raised:
            store.append_all([("Note-1", c), ("Note-2", d)], expected_versions=expected)
        assert raised[0].streams == {"Note-1": (0, 1), "Note-3": (1, 0)}
        with refused(CommitConflict, "Note-1 (built on version 5, now 1)"):
            store.append_all([], expected_versions={"Note-1": 5, "Note-2": 1})
        assert texts(store) == ["a", "b"]
        assert store.append_all([], expected_versions={"Note-1": 1}) == ()
        assert len(store.append_all([("Note-1", c), ("Note-2", d)])) == 2


@pytest.mark.parametrize("expected", [-1, True, "any", 1.0])
def test_an_expectation_of_several_that_makes_no_sense_is_refused(url: str, expected: Any) -> None:
    with SQLEventStore(url, [Noted]) as store, refused(InvalidValue, f"expected_version={expected!r}"):
        store.append_all([("Note-1", *proposed("a"))], expected_versions={"Note-2": expected})


def test_an_id_that_is_there_already_is_told_with_its_place(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", proposed("a", "b"))
        words = ("the id id of b", "position 2", "version 2 of 'Note-1'", "repeat those of an earlier one")
        with refused(StoreError, *words, "nothing was written"):
            store.append("Note-2", proposed("c", "b"))
        with refused(StoreError, *words):
            store.append_all([("Note-2", event) for event in proposed("c", "b")])
        with refused(StoreError, "two of the events have one id"):
            store.append("Note-2", proposed("c", "d", ids=("same", "same")))
        assert texts(store.append("Note-2", proposed("c"), expected_version=NO_STREAM)) == ["a", "b", "c"]


@dataclass(frozen=True)
class Measured:
    """An event whose fields are read as they are annotated, whatever was put in."""

    values: tuple[int, ...]
    share: float = 0.0
    what: Any = None


class Text(str):
    __slots__ = ()


AT = datetime(2026, 1, 1, 12, 30, 0, 7, tzinfo=timezone(timedelta(hours=2)))
TO_RECORD = [
    ProposedEvent(Measured((1, 2)), "a", "corr", None, system_clock(), {}),
    ProposedEvent(Measured([1, 2], 3), "b", "corr", "command 1", AT, {"tags": ["x"], "nested": {"n": [1.5]}}),  # type: ignore[arg-type]
    ProposedEvent(Measured((), 0.1, Decimal("1.10")), Text("c"), Text("corr"), Text("d"), AT, NO_METADATA),
    ProposedEvent(Measured((), 0.1, ('naïve 😀 \\ "', True)), "d", "corr", None, AT, {"command": "Measure"}),
    ProposedEvent(Noted("a"), "e", "corr", None, AT.astimezone(UTC).replace(microsecond=0), {"user": "ada"}),
]


def test_what_is_recorded_is_told_as_it_will_be_read_and_nothing_is_read_for_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SQLEventStore(url, [Noted, Measured]) as store:
        store.append("Note-2", proposed("before"))
        with monkeypatch.context() as patched:
            patched.setattr(store._database, "rows", None)
            first, same = store.record("Note-1", TO_RECORD[:2], NO_STREAM)
            second, _ = store.record("Note-1", TO_RECORD[2:], 2)
            several = store.append_all(
                [
                    ("Note-1", TO_RECORD[1]._replace(event_id="f")),
                    ("Note-3", TO_RECORD[2]._replace(event_id="g")),
                ]
            )
        assert same is store
        read = list(store.stream(ALL, start_version=2))
        assert [*first, *second, *several] == read
        assert list(map(repr, [*first, *second, *several])) == list(map(repr, read))
        assert second[-1].recorded_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("metadata", None),
        ("metadata", "x"),
        ("metadata", []),
        ("recorded_at", None),
        ("recorded_at", ""),
        ("recorded_at", datetime(2026, 1, 1)),  # noqa: DTZ001 - that is what is refused
        ("recorded_at", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2)))),
        ("event_id", None),
        ("event_id", ""),
        ("correlation_id", None),
        ("causation_id", ""),
        ("causation_id", 7),
    ],
)
def test_an_event_that_nobody_could_read_again_is_refused(url: str, field: str, given: Any) -> None:
    (event,) = proposed("b")
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", proposed("a"))
        for append in (
            lambda poison: store.append("Note-1", [poison]),
            lambda poison: store.record("Note-1", [poison], 1),
            lambda poison: store.append_all([("Note-1", poison)]),
        ):
            with refused(InvalidValue, f"{field}={given!r}"):
                append(event._replace(**{field: given}))
        assert texts(store) == ["a"]


def test_what_another_writer_came_before_is_not_recorded(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", proposed("a"))
        with refused(WrongExpectedVersion, "version 1"):
            store.record("Note-1", proposed("b"), NO_STREAM)
        assert store.record("Note-1", [], 1) == ((), store)
        assert texts(store) == ["a"]


def test_what_could_not_be_read_is_not_recorded(url: str) -> None:
    older = make_dataclass("Noted", [("text", int)], namespace={"__module__": Noted.__module__})
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", proposed("a"))
        with refused(SerializationError, "Noted"):
            store.record("Note-1", [proposed("b")[0]._replace(event=older(7))], 1)
        assert texts(store) == ["a"]


def test_bare_events_get_ids_and_times_from_the_sources_as_in_memory(url: str) -> None:
    sources: dict[str, Any] = {"clock": ticking_clock(), "ids": seeded_ids(7)}
    events = [Noted("a"), Noted("b")]
    model = InMemoryEventStore(**sources).append("Note-1", events).append("Note-1", events)
    with SQLEventStore(url, [Noted], **sources) as store:
        store.append("Note-1", events).append("Note-1", events)
        assert list(store) == list(model)
        assert (store.clock, store.ids) == (model.clock, model.ids)


def test_events_recorded_elsewhere_keep_what_is_known_of_them(url: str) -> None:
    model = InMemoryEventStore(clock=ticking_clock(), ids=seeded_ids(7)).append("Note-1", proposed("a", "b"))
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", list(model))
        assert list(store) == list(model)


def test_a_long_stream_is_read_in_pages_from_either_end(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        for _ in range(5):
            store.append("Note-1", [Noted("x")] * 700).append("Note-2", [Noted("y")] * 300)
        for start in (0, 1, 63, 64, 65, 66, 700, 3499, 3500, 3501):
            versions = list(range(max(start, 1), 3501))
            assert [r.stream_version for r in store.stream("Note-1", start_version=start)] == versions
            back = store.stream("Note-1", start_version=start, direction=BACKWARDS)
            assert [r.stream_version for r in back] == versions[::-1]
        assert [r.position for r in store] == list(range(1, 5001))
        assert [r.position for r in store.stream(ALL, direction=BACKWARDS)] == list(range(5000, 0, -1))


def test_events_at_positions_are_read_once_each_however_many(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted(str(n)) for n in range(1, 601)])
        for count in (0, 1, 2, 3, 511, 512, 513, 600):
            assert [r.position for r in store.events_at(range(count, 0, -1))] == list(range(1, count + 1))


def test_a_stream_is_read_up_to_a_position(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        for n in range(1, 101):
            store.append(f"Note-{n % 2}", [Noted(str(n))] * 2)
        for upto in (-1, 0, 1, 2, 130, 200, 10**30):
            for start in (0, 100):
                wanted = [r for r in store.stream(ALL, start_version=start) if r.position <= upto]
                assert list(store.stream(ALL, start_version=start, upto_position=upto)) == wanted
            for direction in (1, -1):
                whole = [r for r in store.stream("Note-1") if r.position <= upto][::direction]
                options: dict[str, Any] = {"direction": BACKWARDS} if direction < 0 else {}
                assert list(store.stream("Note-1", upto_position=upto, **options)) == whole


def test_what_is_appended_after_a_stream_was_asked_for_is_not_in_it(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("x")] * 200)
        asked = [store.stream(ALL), store.stream("Note-1"), store.stream(ALL, direction=BACKWARDS)]
        empty = store.stream("Note-2")
        store.append("Note-1", [Noted("later")] * 200).append("Note-2", [Noted("later")])
        assert [len(list(stream)) for stream in (*asked, empty)] == [200, 200, 200, 0]


def test_a_payload_of_ten_megabytes_comes_back(url: str) -> None:
    large = "naïve 😀 " * 1_000_000
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted(large), Noted("small")])
        first, second = store.stream("Note-1")
        assert len(large.encode()) > 10_000_000
        assert (first.event.text == large, second.event.text) == (True, "small")


def test_pages_of_large_events_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    with SQLEventStore("sqlite://", [Noted]) as store:
        store.append("Note-1", [Noted("x" * 1_000_000)] * 70)
        read = store._database.rows

        def counting(*arguments: Any) -> list[Any]:
            sizes.append(len(found := read(*arguments)))
            return found

        monkeypatch.setattr(store._database, "rows", counting)
        assert sum(1 for _ in store) == 70
        assert sizes == [64, 1, 3, 3]  # the first page, the end of the stream, the others


@pytest.mark.parametrize("payload", [b"\xff", {1, 2}, object()])
def test_a_payload_that_is_no_json_is_refused_and_nothing_is_written(url: str, payload: Any) -> None:
    with SQLEventStore(url, [Noted]) as store:
        with refused(SerializationError, "Noted"):
            store.append("Note-1", [Noted("a"), Noted(payload)])
        assert len(store.append("Note-1", [Noted("b")], expected_version=NO_STREAM)) == 1


def test_payload_and_metadata_can_be_queried_as_json(url: str) -> None:
    (event,) = proposed('say "hello"')
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [event._replace(metadata={"user": "ada", "command": "Note"})])
        statement = "SELECT payload ->> 'text', metadata ->> 'user' FROM events"
        assert store._database.rows(statement, {}, "query") == [('say "hello"', "ada")]


def test_an_event_of_a_class_that_is_not_known_can_be_seen(url: str) -> None:
    with SQLEventStore(url) as store:
        store.append("Note-1", [Noted("a")])
    with SQLEventStore(url) as store:
        (recorded,) = store
        assert isinstance(recorded.event, UnknownEvent)
        assert (recorded.event_type, recorded.event.text) == ("Noted", "a")
    with SQLEventStore(url, Serializer([Noted], names={Noted: "Noted"})) as store:
        assert texts(store) == ["a"]


def test_events_are_stored_under_the_name_that_was_chosen(url: str) -> None:
    with SQLEventStore(url, Serializer(names={Noted: "note.taken"})) as store:
        store.append("Note-1", [Noted("a")])
        assert [(r.event, r.event_type) for r in store] == [(Noted("a"), "note.taken")]


def test_an_event_from_the_future_is_told_by_its_place(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", [Noted("a")])
        execute(url, "UPDATE events SET type_version = 9")
        with refused(SerializationError, "position 1", "version 9"):
            texts(store)


def test_streams_and_versions_are_told(url: str) -> None:
    with SQLEventStore(url) as store:
        assert (store.stream_ids, len(store), store.version(ALL), store.version("Note-1")) == ((), 0, 0, 0)
        store.append("Note-ü", [Noted("a")]).append("Note-1", [Noted("b"), Noted("c")])
        assert store.stream_ids == ("Note-1", "Note-ü")
        assert (len(store), store.version(ALL), store.version(Identity("Note", "1"))) == (3, 3, 2)  # type: ignore[arg-type]
        for nonsense in (None, "", 5):
            with refused(InvalidValue, "version needs"):
                store.version(nonsense)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["sqlite://", "file", "postgresql"])
def test_threads_may_share_a_store(url: str, request: pytest.FixtureRequest) -> None:
    fixtures = {"file": "sqlite_url", "postgresql": "postgres_url"}
    if url in fixtures:
        url = request.getfixturevalue(fixtures[url])
    heard: list[RecordedEvent] = []

    def work(number: int) -> None:
        for n in range(20):
            store.append(f"Note-{n % 3}", [Noted(f"{number} {n}")] * 2)
            assert len(list(store.stream(f"Note-{n % 3}"))) >= 2
            assert store.version(ALL) >= 2 * n

    with SQLEventStore(url, [Noted], poll=0.01) as store, ThreadPoolExecutor(8) as threads:
        subscription = store.subscription(ALL, heard.append)
        list(threads.map(work, range(8)))
        assert subscription.wait_for(320, timeout=60)
        assert [r.position for r in heard] == list(range(1, 321))


def test_a_thread_may_append_while_another_opens_the_file(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, look = threading.Event(), sqlite._identity

    def slowly(file: str | None) -> tuple[int, int] | None:
        if not opened.is_set():
            opened.set()
            time.sleep(0.05)
        return look(file)

    monkeypatch.setattr(sqlite, "_identity", slowly)
    with SQLEventStore(sqlite_url, [Noted]) as store, ThreadPoolExecutor(1) as thread:
        first = thread.submit(store.append, "Note-1", [Noted("a")])
        assert opened.wait(10)
        store.append("Note-2", [Noted("b")])
        first.result()
        assert store.version(ALL) == 2


@pytest.mark.usefixtures("interruptible")
def test_an_append_that_is_interrupted_leaves_the_store_usable(url: str) -> None:
    def append_for_long(timer: threading.Timer) -> None:
        timer.start()  # on a busy machine its time may be over before this returns
        until = time.monotonic() + 60
        while time.monotonic() < until:
            store.append("Note-1", [Noted("more")] * random.randint(1, 3))
            store.append_all(
                [("Note-1", event) for event in proposed(str(random.random()), str(random.random()))]
            )
            assert next(store.stream(ALL, direction=BACKWARDS)).position > 1

    with SQLEventStore(url, [Noted]) as store:
        for _ in range(5):
            timer = threading.Timer(random.uniform(0.02, 0.03), interrupt_main)
            with pytest.raises(KeyboardInterrupt):
                append_for_long(timer)
            timer.join()
        recorded = list(store)
        assert [r.position for r in recorded] == list(range(1, len(recorded) + 1))
        store.append("Note-1", [Noted("b")], expected_version=len(recorded))
