"""Snapshots in a database: the latest of each stream, and none that does not fit is believed."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass, field, make_dataclass, replace
from decimal import Decimal
from subprocess import run
from typing import Any

import pytest

from calamity_lab.errors import InvalidModel, ReadOnlyStore, SerializationError, StoreError
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


RATE = 100
FEES = {"a": 1}


def _rounded(amount: int) -> int:
    return amount // RATE * RATE


def _plain(amount: int) -> int:
    return amount


class _Summed:
    """What the classes of the tests below have in common: a sum of amounts."""

    def __init__(self, id: str, total: int = 0) -> None:  # noqa: A002 - the contract's name
        self.id = id
        self.total = total

    @classmethod
    def new(cls, id: str) -> Any:  # noqa: A002 - the contract's name
        return cls(id)


def _class(apply: Any, **members: Any) -> type:
    return type("Sum", (_Summed,), {"apply": apply, **members})


def _scaled(by: int) -> Any:
    return lambda self, event: type(self)(self.id, self.total + event * by)


def _doubled(self: Any, event: int) -> Any:
    return type(self)(self.id, self.total + event * 2)


def _doubled_with_words(self: Any, event: int) -> Any:
    """Say what it does."""
    # and why
    return type(self)(self.id, self.total + event * 2)


def _of_a_few(self: Any, event: int) -> Any:
    return self if event in {"x", "y", "zz"} else type(self)(self.id, self.total + event)


def _of_others(self: Any, event: int) -> Any:
    return self if event in {"x", "y"} else type(self)(self.id, self.total + event)


def _with_part(self: Any, event: int) -> Any:
    return type(self)(self.id, self.total + self.part(event))


OTHER_CODE = {
    "apply": (_class(_doubled), _class(_scaled(2))),
    "a number in apply": (
        _class(lambda self, event: type(self)(self.id, event + 1)),
        _class(lambda self, event: type(self)(self.id, event + 2)),
    ),
    "a set in apply": (_class(_of_a_few), _class(_of_others)),
    "a value around apply": (_class(_scaled(2)), _class(_scaled(3))),
    "a default": (
        _class(lambda self, event, by=2: type(self)(self.id, event * by)),
        _class(lambda self, event, by=3: type(self)(self.id, event * by)),
    ),
    "a method that apply calls": (
        _class(_with_part, part=lambda self, event: event),
        _class(_with_part, part=lambda self, event: event + 1),
    ),
    "a constant of the class": (
        _class(lambda self, event: type(self)(self.id, event * self.rate), rate=1),
        _class(lambda self, event: type(self)(self.id, event * self.rate), rate=2),
    ),
    "new": (
        _class(_doubled, new=classmethod(lambda cls, name: cls(name))),
        _class(_doubled, new=classmethod(lambda cls, name: cls(name, 5))),
    ),
    "snapshot_version": (_class(_doubled), _class(_doubled, snapshot_version=2)),
    "another snapshot_version": (
        _class(_doubled, snapshot_version=3),
        _class(_doubled, snapshot_version=2),
    ),
}


@pytest.mark.parametrize(("taken", "now"), OTHER_CODE.values(), ids=OTHER_CODE)
def test_a_snapshot_that_other_code_made_is_left_aside(
    url: str, taken: Any, now: type, caplog: pytest.LogCaptureFixture
) -> None:
    with SQLSnapshotStore(url) as snapshots, caplog.at_level(logging.WARNING, "calamity_lab"):
        snapshots.put(Snapshot("Sum-1", 1, 1, "e", taken("1", 5)))
        assert snapshots.get("Sum-1", now) is None
        assert "the snapshot of Sum-1 is ignored" in caplog.text
        assert snapshots.put(Snapshot("Sum-1", 1, 1, "e", now("1", 5))).get("Sum-1", now) is not None


def test_a_function_or_a_constant_that_is_replaced_in_a_running_program_counts(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls: Any = _class(lambda self, event: type(self)(self.id, self.total + _rounded(event)))
    cls.__module__ = __name__
    with SQLSnapshotStore(url) as snapshots:
        snapshots.put(Snapshot("Sum-1", 1, 1, "e", cls("1", 5)))
        assert snapshots.get("Sum-1", cls) is not None
        with monkeypatch.context() as patch:
            patch.setitem(globals(), "_rounded", _plain)
            assert snapshots.get("Sum-1", cls) is None
        with monkeypatch.context() as patch:
            patch.setitem(globals(), "RATE", 10)
            assert snapshots.get("Sum-1", cls) is None
        assert snapshots.get("Sum-1", cls) is not None


def test_docstrings_and_comments_leave_a_snapshot_as_it_is(url: str) -> None:
    plain, told = _class(_doubled), _class(_doubled_with_words, __doc__="A sum of amounts.")
    basket = make_dataclass("Basket", [("id", str), ("description", str, "")])
    documented = make_dataclass(
        "Basket", [("id", str), ("description", str, "")], namespace={"__doc__": "Hi."}
    )
    with SQLSnapshotStore(url) as snapshots:
        snapshots.put(Snapshot("Sum-1", 1, 1, "e", plain("1", 5)))
        assert snapshots.get("Sum-1", told) is not None
        snapshots.put(Snapshot("Basket-1", 1, 1, "e", basket("1")))
        assert snapshots.get("Basket-1", documented) is not None
        assert shape_of(basket) != shape_of(make_dataclass("Basket", [("id", str)]))


def test_the_shape_of_a_class_is_the_same_in_every_process() -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from tests.stores.sql import test_snapshots as t\n"
        "print(t.shape_of(t.OTHER_CODE['a set in apply'][0]))"
    )
    shapes = {
        run(
            [sys.executable, "-c", program, *sys.path],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert shapes == {f"{shape_of(OTHER_CODE['a set in apply'][0])}\n"}


def test_a_snapshot_of_before_the_code_counted_is_left_aside(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with SQLSnapshotStore(sqlite_url) as snapshots:
        snapshots.put(of("Basket-1", 3))
        execute(sqlite_url, "UPDATE snapshots SET shape = 'Basket 00aa'")
        assert snapshots.get("Basket-1", Basket) is None
        assert "taken by an earlier calamity_lab" in caplog.text


def test_a_version_is_a_whole_number_and_may_be_a_field() -> None:
    with pytest.raises(InvalidModel, match=r"snapshot_version is '2'\. Give a whole number"):
        shape_of(_class(_doubled, snapshot_version="2"))
    first, second = (make_dataclass("Photo", [("snapshot_version", int, n)]) for n in (1, 2))
    assert shape_of(first).split()[:2] == shape_of(second).split()[:2]
