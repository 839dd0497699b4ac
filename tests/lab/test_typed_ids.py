"""Ids that are no texts are of their type wherever a lab on a real history shows a state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple, NewType, Self
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from calamity_lab import Lab, Stack, command, dispatch
from calamity_lab.errors import InvalidModel, InvalidValue, UnresolvedTarget
from calamity_lab.kernel.folding import identity_in
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recovery import recover
from calamity_lab.stores.sql import SQLEventStore
from calamity_lab.views.state import state
from calamity_lab.views.versions import Versions, field_history

AccountId = NewType("AccountId", UUID)


class Colour(Enum):
    """Ids with a name and a value."""

    RED = "r"
    GREEN = "g"


@dataclass(frozen=True)
class Counted:
    """Something was counted."""

    by: int


class _Meter:
    """What all meters do; its ``of`` is made from the id, and shows the type that the id has."""

    def execute(self, order: Any) -> Counted:
        return Counted(order.by)

    def apply(self, event: Counted) -> Self:
        return replace(self, total=self.total + event.by)  # type: ignore[attr-defined, type-var]


def meter(annotation: Any) -> tuple[type, type]:
    """An aggregate type with ids of that type, and its command."""

    @dataclass(frozen=True)
    class Meter(_Meter):
        id: Any
        of: str
        total: int = 0

        @classmethod
        def new(cls, meter_id: Any) -> Self:
            return cls(meter_id, type(meter_id).__name__)

    Meter.new.__func__.__annotations__["meter_id"] = annotation  # type: ignore[attr-defined]

    @command(to=Meter, by="id")
    @dataclass(frozen=True)
    class Count:
        id: Any
        by: int

    return Meter, Count


class Seat(NamedTuple):
    row: int
    name: str


@dataclass(frozen=True)
class Place:
    seat: Seat
    share: Decimal


KINDS = [
    (int, 7),
    (int | None, 7),
    (UUID, UUID(int=7)),
    (AccountId, UUID(int=7)),
    (Colour, Colour.GREEN),
    (date, date(2026, 11, 29)),
    (datetime, datetime(2026, 11, 29, 5, tzinfo=UTC)),
    (timedelta, timedelta(days=-1, seconds=3, microseconds=5)),
    (timedelta, timedelta(hours=2)),
    (Decimal, Decimal("1.50")),
    (float, 1e22),
    (bytes, b"a'b"),
    (Literal["a", 1], 1),
    (int | str, "a"),
    (tuple[int, str], (-1, "x-y")),
    (tuple[UUID | None, ...], (UUID(int=7), None)),
    (Seat, Seat(2, "a, b")),
    (Place, Place(Seat(1, "x"), Decimal("0.5"))),
]


@pytest.mark.parametrize(("annotation", "id_"), KINDS, ids=[f"{kind}" for kind, _ in KINDS])
def test_an_id_has_its_type_everywhere_in_an_attached_lab(annotation: Any, id_: Any, tmp_path: Path) -> None:
    url, (Meter, Count) = f"sqlite:///{tmp_path / 'meters.db'}", meter(annotation)  # noqa: N806
    with SQLEventStore(url, [Meter, Counted]) as store:
        stack = dispatch(dispatch(Stack(event_store=store), Count(id_, 5)), Count(id_, 2))
        there = stack.aggregates[f"Meter-{id_}"]
        assert there == Meter(id_, type(id_).__name__, 7)
        assert dict(recover(Stack(event_store=store), [Meter]).stack.aggregates) == {f"Meter-{id_}": there}

    lab = Lab.attach(url, aggregates=[Meter], commands=[Count], events=[Counted])
    assert dict(lab.aggregates) == {f"Meter-{id_}": there}
    table = lab.aggregates.to_pandas()
    assert list(table["of"]) == [there.of, there.of]
    assert list(table["total"]) == [5, 7]

    revisions = Versions(lab.trace, lab.trace.index.lanes[0], {"Meter": Meter})
    assert revisions.at(1).state == replace(there, total=5)
    assert field_history(revisions, "total", 0).values == ("5", "7")
    row = state(lab.trace, 0, as_of=[(f"Meter-{id_}", 1)], pinned=[f"Meter-{id_}"], types={"Meter": Meter})
    assert "5" in str(row.pinned[0])
    assert row.pinned[0].as_of is not None


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 29, 5, tzinfo=ZoneInfo("Europe/Berlin")),
        time(5, tzinfo=ZoneInfo("UTC")),
        time(5, fold=1),
    ],
    ids=repr,
)
def test_a_time_whose_zone_a_stream_id_would_lose_is_no_id(moment: Any) -> None:
    Meter, Count = meter(datetime)  # noqa: N806
    with pytest.raises(UnresolvedTarget, match=r"cannot be an id.*astimezone\(UTC\)"):
        dispatch(Stack(), Count(moment, 5))
    with pytest.raises(InvalidValue, match="cannot be an id"):
        Identity(Meter, moment)


@pytest.mark.parametrize(
    "text", ["(1, 2)", "('a', 'x')", "(1,)", "Seat(row=1)", "__import__('os')", "(" * 300]
)
def test_a_text_that_is_no_such_id_is_refused_and_never_run(text: str) -> None:
    for annotation in (tuple[int, str], Seat, timedelta, bytes):
        with pytest.raises(InvalidModel, match=r"cannot be read as"):
            identity_in(meter(annotation)[0], f"Meter-{text}")
