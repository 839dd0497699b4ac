"""The SQL event store beside raw drivers and beside the recorders of `eventsourcing`; and rebuilding."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

import psycopg

from calamity_lab.errors import Rejected
from calamity_lab.examples.bank import BankAccount, Transfer, random_commands
from calamity_lab.kernel.clocks_and_ids import RandomIds, draw
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import ProposedEvent, RecordedEvent
from calamity_lab.kernel.recovery import rebuild, recover, take_snapshots
from calamity_lab.kernel.run import begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore
from calamity_lab.testing.postgres import PostgresServer, temporary_postgres
from tests.benchmarks import events_by_eventsourcing, events_by_hand
from tests.benchmarks.bench_frames import recorded_events
from tests.benchmarks.measuring import seconds

SINGLES, BATCHED, BATCH = 2_000, 20_000, 100
ROUNDS = 5
REBUILT_EVENTS, REBUILT_AGGREGATES = 100_000, 1_000
MODEL = [BankAccount, Transfer]
AIM = "aim: at most 3 times raw, and ahead of eventsourcing"

# What takes turns: each makes its database anew in every round, and gives the work that is timed.
Contender = Callable[[Sequence[RecordedEvent], int], Callable[[], Any]]


def run() -> list[str]:
    """The report, database by database."""
    lines = []
    with TemporaryDirectory() as folder, temporary_postgres() as server:
        for name, contenders, readers in (
            ("SQLite (a file, WAL, synchronous=NORMAL)", *on_sqlite(Path(folder))),
            ("PostgreSQL (psycopg 3, a unix socket, fsync off)", *on_postgres(server)),
        ):
            lines += [name]
            for what, history, size in (
                ("appends, one event a transaction", recorded_events(SINGLES, streams=50), 1),
                (f"appends, {BATCH} events a transaction", drawn_by_a_stack(BATCHED), BATCH),
                ("the same, with ids in no order", recorded_events(BATCHED, streams=50), BATCH),
            ):
                lines += compared(what, in_turn(contenders, history, size), len(history))
            lines += compared(
                f"reads, {BATCHED:,} events in order of position", in_turn(readers, [], 1), BATCHED
            )
        lines += rebuilding(Path(folder))
    return lines


def drawn_by_a_stack(count: int) -> list[RecordedEvent]:
    """So many events with the ids that a stack draws for them, each batch after the one before it."""
    history: list[RecordedEvent] = []
    for part in events_by_hand.batches(recorded_events(count, streams=50), BATCH):
        ids, _ = draw(RandomIds(), len(part))
        history += [replace(event, event_id=id_) for event, id_ in zip(part, ids, strict=True)]
        sleep(0.001)
    return history


def on_sqlite(folder: Path) -> tuple[dict[str, Contender], dict[str, Contender]]:
    """Who appends to a file, and who reads one."""
    files = (folder / f"{n}.db" for n in range(10_000))

    def raw(history: Sequence[RecordedEvent], size: int) -> Callable[[], Any]:
        path = next(files)
        SQLEventStore(f"sqlite:///{path}", MODEL).close()
        return events_by_hand.sqlite_appends(str(path), events_by_hand.rows(history), size)

    def ours(history: Sequence[RecordedEvent], size: int) -> Callable[[], Any]:
        return appends(SQLEventStore(f"sqlite:///{next(files)}", MODEL), history, size)

    def theirs(history: Sequence[RecordedEvent], size: int) -> Callable[[], Any]:
        recorder = events_by_eventsourcing.sqlite_recorder(str(next(files)))
        return events_by_eventsourcing.appends(recorder, events_by_eventsourcing.stored(history), size)

    path, other = folder / "read.db", folder / "read-other.db"
    history = recorded_events(BATCHED, streams=50)
    store = SQLEventStore(f"sqlite:///{path}", MODEL)
    appends(store, history, 1_000)()
    recorder = events_by_eventsourcing.sqlite_recorder(str(other))
    events_by_eventsourcing.appends(recorder, events_by_eventsourcing.stored(history), 1_000)()
    return {"raw sqlite3": raw, "SQLEventStore": ours, "eventsourcing": theirs}, {
        "raw sqlite3": lambda *_: events_by_hand.reads(lambda: sqlite3.connect(path)),
        "SQLEventStore": lambda *_: lambda: list(store.stream(ALL)),
        "eventsourcing": lambda *_: events_by_eventsourcing.reads(recorder),
    }


def on_postgres(server: PostgresServer) -> tuple[dict[str, Contender], dict[str, Contender]]:
    """Who appends to a database of a server, and who reads one."""

    def raw(history: Sequence[RecordedEvent], size: int) -> Callable[[], Any]:
        url = server.new_database()
        SQLEventStore(url, MODEL).close()
        return events_by_hand.postgres_appends(url, events_by_hand.rows(history), size)

    def ours(history: Sequence[RecordedEvent], size: int) -> Callable[[], Any]:
        return appends(SQLEventStore(server.new_database(), MODEL), history, size)

    def theirs(history: Sequence[RecordedEvent], size: int) -> Callable[[], Any]:
        recorder = events_by_eventsourcing.postgres_recorder(server.new_database())
        return events_by_eventsourcing.appends(recorder, events_by_eventsourcing.stored(history), size)

    url, other = server.new_database(), server.new_database()
    history = recorded_events(BATCHED, streams=50)
    store = SQLEventStore(url, MODEL)
    appends(store, history, 1_000)()
    recorder = events_by_eventsourcing.postgres_recorder(other)
    events_by_eventsourcing.appends(recorder, events_by_eventsourcing.stored(history), 1_000)()
    return {"raw psycopg": raw, "SQLEventStore": ours, "eventsourcing": theirs}, {
        "raw psycopg": lambda *_: events_by_hand.reads(lambda: psycopg.connect(url)),
        "SQLEventStore": lambda *_: lambda: list(store.stream(ALL)),
        "eventsourcing": lambda *_: events_by_eventsourcing.reads(recorder),
    }


def appends(store: SQLEventStore, history: Sequence[RecordedEvent], size: int) -> Callable[[], Any]:
    """Appends to one stream after the other, so many events at a time, each expecting its version."""
    parts = events_by_hand.batches(history, size)
    proposed = [
        (
            f"BankAccount-{n % 50}" if size > 1 else part[0].stream_id,
            [
                ProposedEvent(
                    r.event, r.event_id, r.correlation_id, r.causation_id, r.recorded_at, r.metadata
                )
                for r in part
            ],
        )
        for n, part in enumerate(parts)
    ]

    def work() -> None:
        for stream_id, events in proposed:
            store.append(stream_id, events)

    return work


def in_turn(
    contenders: dict[str, Contender], history: Sequence[RecordedEvent], size: int
) -> dict[str, float]:
    """The median time of each, in rounds in which they take turns on databases of their own."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, contender in contenders.items():
            times[name].append(seconds(contender(history, size)))
    return {name: median(taken) for name, taken in times.items()}


def compared(what: str, times: dict[str, float], count: int) -> list[str]:
    """Events a second of each, and how ours stands beside the others."""
    raw, ours, theirs = times.values()
    return [
        f"  {what} ({AIM})",
        *(f"    {name:<14} {count / time:10,.0f} events a second" for name, time in times.items()),
        f"    ours: {ours / raw:.2f} times raw, {theirs / ours:.2f} times as fast as eventsourcing",
    ]


def rebuilding(folder: Path) -> list[str]:
    """How long a stack takes to come back from its event store."""
    url = f"sqlite:///{folder / 'rebuilt.db'}"
    with SQLEventStore(url, MODEL) as store:
        appends_in_order(store, traffic(REBUILT_EVENTS))
        bare = Stack(event_store=store)
        snapshots = take_snapshots(begin(rebuild(bare, [BankAccount])), SQLSnapshotStore(url, MODEL))
        managed = Stack(event_store=store, process_manager_types=(Transfer,))
        works: dict[str, Callable[[], Any]] = {
            "reading the events": lambda: list(store.stream(ALL)),
            "rebuild, aggregates": lambda: rebuild(bare, [BankAccount]),
            "rebuild, aggregates from snapshots": lambda: rebuild(bare, [BankAccount], snapshots=snapshots),
            "recover, with process managers": lambda: recover(managed, [BankAccount]),
        }
        times = {name: [seconds(work) for _ in range(3)] for name, work in works.items()}
        events, aggregates = store.version(ALL), len(works["rebuild, aggregates"]().aggregates)
    return [
        f"{aggregates:,} aggregates from {events:,} events on SQLite",
        *(f"  {name:<36} {median(taken):6.2f} s" for name, taken in times.items()),
    ]


def traffic(count: int) -> list[RecordedEvent]:
    """So many events as the kernel records them, mostly of transfers; nothing is owed at the end."""
    stack = Stack(process_manager_types=(Transfer,))
    for command in random_commands(count, accounts=REBUILT_AGGREGATES):
        with suppress(Rejected):
            stack = dispatch(stack, command)
        if len(stack.event_store) >= count:
            break
    return list(stack.event_store)


def appends_in_order(store: SQLEventStore, history: Sequence[RecordedEvent]) -> None:
    """A whole history in transactions of a thousand events, each in the stream that it was in."""
    for part in events_by_hand.batches(history, 1_000):
        entries = [
            (
                r.stream_id,
                ProposedEvent(
                    r.event, r.event_id, r.correlation_id, r.causation_id, r.recorded_at, r.metadata
                ),
            )
            for r in part
        ]
        store.append_all(entries, expected_versions={})
