"""A subscription tells each event once, in order: what is there, then what is appended, by whomever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from calamity_lab.errors import InvalidValue, ModelError, SerializationError
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.testing.postgres import PostgresServer
from tests.stores.sql.notes import Noted, execute, proposed, refused, texts


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def notes(heard: list[RecordedEvent]) -> list[str]:
    return [recorded.event.text for recorded in heard]


def test_it_tells_what_is_there_and_then_what_is_appended(url: str) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted]) as store, SQLEventStore(url) as another:
        store.append("Note-1", proposed("a", "b"))
        subscription = store.subscription(ALL, heard.append)
        until(lambda: subscription.caught_up)
        assert notes(heard) == ["a", "b"]
        another.append("Note-2", proposed("c"))
        store.append("Note-1", proposed("d"))
        assert subscription.wait_for(4, timeout=60)
        assert heard == list(store)
        assert subscription.running
        assert subscription.position == 4


def test_it_begins_at_a_position_or_at_the_version_of_a_stream(url: str) -> None:
    everything: list[RecordedEvent] = []
    one: list[RecordedEvent] = []
    later: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted]) as store:
        for name in ("1", "2", "1", "2", "1"):
            store.append(f"Note-{name}", [Noted(name)])
        subscriptions = [
            store.subscription(ALL, everything.append, start_version=4),
            store.subscription("Note-1", one.append, start_version=2),
            store.subscription("Note-2", later.append, start_version=4),
        ]
        store.append("Note-1", [Noted("more")]).append("Note-2", [Noted("3rd")]).append(
            "Note-2", [Noted("4th")]
        )
        for subscription, place in zip(subscriptions, (8, 4, 4), strict=True):
            assert subscription.wait_for(place, timeout=60), subscription
        assert everything == list(store.stream(ALL, start_version=4))
        assert one == list(store.stream("Note-1", start_version=2))
        assert notes(later) == ["4th"]


def test_what_is_appended_while_it_catches_up_is_told_once(url: str) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted]) as store, SQLEventStore(url) as another:
        store.append("Note-1", [Noted("early")] * 300)
        subscription = store.subscription(ALL, heard.append)
        for n in range(60):
            (store if n % 2 else another).append(f"Note-{n % 3}", [Noted(f"late {n}")] * 5)
        assert subscription.wait_for(600, timeout=60)
        assert [recorded.position for recorded in heard] == list(range(1, 601))


def test_an_append_by_another_process_is_told_soon(url: str) -> None:
    told = threading.Event()
    with SQLEventStore(url, [Noted]) as store, SQLEventStore(url) as another:
        subscription = store.subscription(ALL, lambda event: told.set())
        until(lambda: subscription.caught_up)
        time.sleep(0.1)
        another.append("Note-1", proposed("a"))
        assert told.wait(1)


def test_without_notifications_postgresql_is_looked_at_now_and_then(postgres_url: str) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(postgres_url, [Noted], poll=0.05) as store:
        store.append("Note-1", proposed("a"))
        subscription = store.subscription(ALL, heard.append)
        until(lambda: subscription.caught_up)
        execute(
            postgres_url,
            "INSERT INTO events SELECT 2, stream_id, 2, 'by hand', event_type, type_version, correlation_id, "
            "causation_id, recorded_at, metadata, payload FROM events",
        )
        assert subscription.wait_for(2, timeout=60)


def test_it_is_closed_while_it_waits_and_tells_no_more(url: str) -> None:
    heard: list[RecordedEvent] = []
    with SQLEventStore(url, [Noted], poll=600) as store:
        with store.subscription(ALL, heard.append) as subscription:
            assert store.subscriptions == (subscription,)
            until(lambda: subscription.caught_up)
            begin = time.monotonic()
        assert time.monotonic() - begin < 60
        subscription.close()
        assert (subscription.running, subscription.error, store.subscriptions) == (False, None, ())
        store.append("Note-1", proposed("a"))
        time.sleep(0.1)
        assert heard == []


def test_closing_the_store_closes_its_subscriptions(url: str) -> None:
    store = SQLEventStore(url, [Noted])
    subscription = store.subscription(ALL, print)
    store.subscribe(ALL, print)
    threads = [thread for thread in threading.enumerate() if "subscription" in thread.name]
    store.close()
    assert not subscription.running
    assert not any(thread.is_alive() for thread in threads)


def test_a_subscriber_may_append_and_may_close_its_own_subscription(url: str) -> None:
    heard: list[str] = []
    with SQLEventStore(url, [Noted]) as store:

        def answer(recorded: RecordedEvent) -> None:
            heard.append(recorded.event.text)
            if len(heard) < 3:
                store.append("Note-1", [Noted(f"{recorded.event.text}!")])
            else:
                subscription.close()

        subscription = store.subscription(ALL, answer)
        store.append("Note-1", [Noted("a")])
        until(lambda: not subscription.running)
        assert heard == texts(store) == ["a", "a!", "a!!"]


def broken(recorded: RecordedEvent) -> None:
    if recorded.event.text == "b":
        raise RuntimeError("no bees")


def test_a_subscriber_that_raises_ends_its_subscription_and_says_so(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with SQLEventStore(url, [Noted]) as store, caplog.at_level(logging.ERROR, "calamity_lab"):
        subscription = store.subscription(ALL, broken)
        store.append("Note-1", proposed("a", "b", "c"))
        until(lambda: not subscription.running)
        error = subscription.error
        assert isinstance(error, ModelError)
        assert "subscriber broken raised RuntimeError: no bees for Noted(text='b')" in str(error)
        assert isinstance(error.__cause__, RuntimeError)
        assert subscription.position == 1
        assert not subscription.wait_for(2, timeout=60)
        assert "no bees" in caplog.text
        assert "has ended" in caplog.text
        again: list[RecordedEvent] = []
        assert store.subscription(ALL, again.append, start_version=2).wait_for(3, timeout=60)
        assert notes(again) == ["b", "c"]


def test_a_subscriber_of_the_store_that_raises_is_told_no_more_and_the_others_are(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[RecordedEvent] = []
    calls: list[str] = []

    def counting(recorded: RecordedEvent) -> None:
        calls.append(recorded.event.text)
        broken(recorded)

    with SQLEventStore(url, [Noted]) as store, caplog.at_level(logging.ERROR, "calamity_lab"):
        store.subscribe(ALL, counting).subscribe(ALL, heard.append)
        store.append("Note-1", proposed("a", "b", "c"))
        until(lambda: len(heard) == 3)
        assert calls == ["a", "b"]
        assert [str(error) for error in store.subscriber_errors] == [
            f"subscriber {counting.__qualname__} raised RuntimeError: no bees for Noted(text='b')"
        ]
        assert "it is not called again" in caplog.text


def test_a_subscriber_that_leaves_by_exit_is_an_error_too(url: str) -> None:
    def leave(recorded: RecordedEvent) -> None:
        raise SystemExit(3)

    with SQLEventStore(url, [Noted]) as store:
        subscription = store.subscription(ALL, leave)
        store.append("Note-1", proposed("a"))
        until(lambda: not subscription.running)
        assert "SystemExit" in str(subscription.error)


def test_an_event_that_cannot_be_read_ends_it(url: str) -> None:
    with SQLEventStore(url, [Noted]) as store:
        store.append("Note-1", proposed("a", "b"))
        execute(url, "UPDATE events SET payload = '[]' WHERE position = 2")
        subscription = store.subscription(ALL, lambda event: None)
        until(lambda: not subscription.running)
        assert isinstance(subscription.error, SerializationError)
        assert "position 2" in str(subscription.error)
        assert subscription.position == 1


def test_a_server_that_goes_away_is_waited_for(
    postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[RecordedEvent] = []
    url = postgres_server.new_database()
    with SQLEventStore(url, [Noted]) as store, caplog.at_level(logging.WARNING, "calamity_lab"):
        subscription = store.subscription(ALL, heard.append)
        store.append("Note-1", proposed("a"))
        assert subscription.wait_for(1, timeout=60)
        postgres_server.stop()
        try:
            until(lambda: not subscription.caught_up)
            time.sleep(0.1)
            assert (subscription.running, subscription.error) == (True, None)
        finally:
            postgres_server.start()
        store.append("Note-1", proposed("b"))
        assert subscription.wait_for(2, timeout=60)
        store.append("Note-1", proposed("c"))
        assert subscription.wait_for(3, timeout=60)
        assert notes(heard) == ["a", "b", "c"]
        assert sum("waits: " in record.message for record in caplog.records) == 1
        assert "the server does not answer" in caplog.text
    postgres_server.drop_database(url)


def test_it_is_closed_while_it_waits_for_a_server(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    store = SQLEventStore(url, [Noted])
    subscription = store.subscription(ALL, print)
    until(lambda: subscription.caught_up)
    postgres_server.stop()
    try:
        until(lambda: not subscription.caught_up)
        begin = time.monotonic()
        store.close()
        assert time.monotonic() - begin < 1
    finally:
        postgres_server.start()
    postgres_server.drop_database(url)


@pytest.mark.parametrize(
    ("stream_id", "subscriber", "told"),
    [
        (None, print, "subscription needs the id of a stream"),
        ("", print, "subscription needs the id of a stream"),
        (ALL, "print", "subscription(subscriber='print'): give a function"),
        (ALL, None, "subscription(subscriber=None): give a function"),
    ],
)
def test_an_invalid_subscription_raises(stream_id: Any, subscriber: Any, told: str) -> None:
    with SQLEventStore("sqlite://") as store:
        with refused(InvalidValue, told):
            store.subscription(stream_id, subscriber)
        assert store.subscriptions == ()
