"""Snapshots in a database: the latest of each stream, and none that does not fit is believed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, make_dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from calamity_lab.errors import ReadOnlyStore, SerializationError, StoreError
from calamity_lab.kernel.in_memory_stores import InMemorySnapshotStore, Snapshot
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.stores.sql.snapshots import SQLSnapshotStore, shape_of
from tests.kinds_of_class import HEADINGS, model_of
from tests.stores.sql.notes import Noted, execute, refused, texts


@dataclass(frozen=True)
class Line:
    price: Decimal
    count: int = 1


@dataclass(frozen=True)
class Basket:
    id: str
    lines: tuple[Line, ...] = ()
    notes: dict[str, str] = field(default_factory=dict)


def of(stream_id: str, place: int, *lines: Line) -> Snapshot:
    basket = Basket(stream_id, lines, {"said": 'naïve "😀"'})
    return Snapshot(stream_id, place, place + 10, f"event {place}", basket)


def test_a_snapshot_comes_back_as_it_was(url: str) -> None:
    first, second = of("Basket-1", 1), of("Basket-ü", 5, Line(Decimal("1.10")), Line(Decimal("0.30"), 7))
    with SQLSnapshotStore(url) as snapshots:
        assert snapshots.put(first).put(second) is snapshots
    with SQLSnapshotStore(url, [Basket]) as snapshots:
        assert (snapshots.get("Basket-1", Basket), snapshots.get("Basket-ü", Basket)) == (first, second)
        assert snapshots.get("Basket-2", Basket) is None


def test_snapshots_are_put_forwards_only_as_in_memory(url: str) -> None:
    model: Any = InMemorySnapshotStore()
    with SQLSnapshotStore(url) as snapshots:
        for snapshot in (
            of("Basket-1", 3),
            of("Basket-1", 5),
            of("Basket-1", 4),
            of("Basket-1", 5, Line(Decimal(1))),
        ):
            model = model.put(snapshot)
            snapshots.put(snapshot)
            assert snapshots.get("Basket-1", Basket) == model.get("Basket-1", Basket)
        assert snapshots.get("Basket-1", Basket) == of("Basket-1", 5, Line(Decimal(1)))


OTHER_SHAPES = [
    make_dataclass("Basket", [("id", str), ("lines", tuple[Line, ...], ()), ("owner", str, "nobody")]),
    make_dataclass("Basket", [("id", str)]),
    make_dataclass("Basket", [("id", int)]),
    make_dataclass(
        "Basket", [("id", str), ("lines", tuple[make_dataclass("Line", [("price", str)]), ...], ())]
    ),
]


@pytest.mark.parametrize("other", OTHER_SHAPES)
def test_a_snapshot_of_a_class_with_other_fields_is_left_aside(
    url: str, other: type, caplog: pytest.LogCaptureFixture
) -> None:
    with SQLSnapshotStore(url) as snapshots, caplog.at_level(logging.WARNING, "calamity_lab"):
        snapshots.put(of("Basket-1", 3, Line(Decimal(1))))
        assert snapshots.get("Basket-1", other) is None
        assert "the snapshot of Basket-1 is ignored, and its state is built from its events" in caplog.text
        assert snapshots.get("Basket-1", Basket) is not None


@pytest.mark.parametrize("state", ["'not json'", "'7'", "'{}'"])
def test_a_snapshot_that_somebody_broke_is_left_aside(
    sqlite_url: str, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    with SQLSnapshotStore(sqlite_url) as snapshots:
        snapshots.put(of("Basket-1", 3))
        execute(sqlite_url, f"UPDATE snapshots SET state = {state}")
        assert snapshots.get("Basket-1", Basket) is None
        assert "is ignored" in caplog.text
        again = of("Basket-1", 3, Line(Decimal(2)))
        assert snapshots.put(again).get("Basket-1", Basket) == again


def test_a_state_that_cannot_be_written_is_refused(url: str) -> None:
    with SQLSnapshotStore(url) as snapshots:
        unwritable = replace(of("Basket-1", 1).state, notes={"what": object()})
        with refused(SerializationError, "Basket"):
            snapshots.put(of("Basket-1", 1)._replace(state=unwritable))
        assert snapshots.get("Basket-1", Basket) is None


def test_snapshots_stand_beside_the_events(url: str) -> None:
    with SQLEventStore(url, [Noted]) as events, SQLSnapshotStore(url) as snapshots:
        events.append("Note-1", [Noted("a")])
        snapshots.put(of("Basket-1", 1))
        assert texts(events) == ["a"]


def test_a_store_that_is_read_only_or_closed_says_so(url: str) -> None:
    SQLSnapshotStore(url).put(of("Basket-1", 1)).close()
    with SQLSnapshotStore(url, read_only=True) as snapshots:
        assert snapshots.get("Basket-1", Basket) == of("Basket-1", 1)
        with refused(ReadOnlyStore, "put the snapshot of Basket-1 into"):
            snapshots.put(of("Basket-1", 2))
    with refused(StoreError, "is closed"):
        snapshots.get("Basket-1", Basket)


@pytest.mark.parametrize("kind", HEADINGS)
def test_a_class_of_any_kind_has_another_shape_once_a_class_that_it_holds_has(kind: str) -> None:
    with model_of(kind, annotations_as_text=True) as before:
        shape = shape_of(before.Basket)
    with model_of(kind, annotations_as_text=True) as again:
        assert shape_of(again.Basket) == shape
    with model_of(kind, annotations_as_text=True, Item="sku: str; price: Decimal") as after:
        assert shape_of(after.Basket) != shape
