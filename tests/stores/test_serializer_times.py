"""Times come back with their zone and their fold, or are refused when they are written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import SerializationError
from calamity_lab.stores.serializer import Serializer

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN)  # the second half past two of that night
ZONED = [
    datetime(2024, 3, 30, 9, tzinfo=BERLIN),
    NIGHT,
    NIGHT.replace(fold=0),
    datetime(2024, 3, 30, 9, tzinfo=ZoneInfo("UTC")),
    datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=UTC).replace(tzinfo=None),
    datetime(2024, 3, 30, 9, tzinfo=timezone(timedelta(hours=5))),
    datetime(2024, 3, 30, 9, tzinfo=UTC),
    datetime(2024, 3, 30, 9, tzinfo=UTC).replace(tzinfo=None),
]
HOURS = [moment.timetz() for moment in ZONED]


@dataclass(frozen=True)
class Slot:
    at: datetime
    hours: tuple[time, ...] = ()


class Struct(msgspec.Struct, frozen=True):
    at: datetime | None
    name: str = ""


def _event(hint: Any) -> Any:
    cls = type("Happened", (), {"__annotations__": {"held": hint}})
    return dataclass(frozen=True)(cls)


def _told(moment: Any) -> Any:
    zone = moment.tzinfo
    kept = zone.key if isinstance(zone, ZoneInfo) else zone and zone.utcoffset(None)
    return type(moment), moment.replace(tzinfo=None, fold=0), kept, moment.fold


def _there_and_back(value: Any) -> Any:
    serializer = Serializer([type(value)])
    name, version, text = serializer.encode(value)
    return Serializer([type(value)]).decode(name, version, text)


@pytest.mark.parametrize("moment", [*ZONED, *HOURS], ids=repr)
@pytest.mark.parametrize(
    ("hint", "wrap"),
    [
        (None, lambda m: m),
        (Any, lambda m: m),
        (None, lambda m: [m]),
        (object, lambda m: {"deep": [m]}),
    ],
    ids=["single", "untyped", "list", "untyped and deep"],
)
def test_a_time_comes_back_with_its_zone_and_its_fold(moment: Any, hint: Any, wrap: Any) -> None:
    held = wrap(moment)
    kind = type(moment)
    cls = _event(hint or (list[kind] if isinstance(held, list) else kind))  # type: ignore[valid-type]
    found = _there_and_back(cls(held)).held
    while isinstance(found, (dict, list)):
        found = next(iter(found.values())) if isinstance(found, dict) else found[0]
    assert _told(found) == _told(moment)


@pytest.mark.parametrize("moment", ZONED, ids=repr)
@pytest.mark.parametrize(
    "hint",
    [
        datetime | None,
        datetime | str,
        datetime | timedelta | None,
        dict[str, datetime],
        dict[int, datetime | None],
        set[datetime],
        tuple[datetime, int],
        Slot,
        Struct,
        Slot | Struct,
        datetime | Slot,
    ],
    ids=repr,
)
def test_a_time_comes_back_from_every_kind_of_field(hint: Any, moment: datetime) -> None:
    held: Any = moment
    if hint == set[datetime]:
        held = {moment}
    elif hint in (dict[str, datetime], dict[int, datetime | None]):
        held = {"a" if hint == dict[str, datetime] else 1: moment}
    elif hint == tuple[datetime, int]:
        held = (moment, 1)
    elif hint in (Slot, Slot | Struct, datetime | Slot):
        held = Slot(moment, (moment.timetz(),))
    elif hint is Struct:
        held = Struct(moment)
    found = _there_and_back(_event(hint)(held)).held
    assert found == held
    parts = [found.at, *getattr(found, "hours", ())] if hasattr(found, "at") else [found]
    if isinstance(found, (set, dict, tuple)):
        parts = [part for part in (found.values() if isinstance(found, dict) else found) if part != 1]
    assert [_told(part) for part in parts] == [_told(m) for m in [moment, moment.timetz()][: len(parts)]]


def test_plain_times_are_written_as_before() -> None:
    text = Serializer([Slot]).encode(Slot(datetime(2024, 3, 30, 9, tzinfo=UTC)))[2]
    assert text == '{"at":"2024-03-30T09:00:00Z","hours":[]}'
    text = Serializer([Slot]).encode(Slot(ZONED[0]))[2]
    assert '"at":{"_type":"datetime","_value":"2024-03-30T09:00:00+01:00","_zone":"Europe/Berlin"}' in text


def test_a_time_that_was_written_without_its_zone_is_still_read() -> None:
    found = Serializer([Slot]).decode("Slot", 1, '{"at":"2024-03-30T09:00:00+01:00"}')
    assert found == Slot(datetime(2024, 3, 30, 9, tzinfo=timezone(timedelta(hours=1))))


class _Nameless(tzinfo):
    """A zone that changes its clocks and has no name, as those of other libraries."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None if when is None else timedelta(hours=1 if when.month < 6 else 2)

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta()

    def tzname(self, _: datetime | None) -> str:
        return "ours"


@pytest.mark.parametrize("hint", [datetime, Any, datetime | None, Slot], ids=repr)
def test_a_zone_that_cannot_be_found_again_is_refused(hint: Any) -> None:
    moment = datetime(2024, 3, 30, 9, tzinfo=_Nameless())
    held = Slot(moment) if hint is Slot else moment
    with pytest.raises(SerializationError, match=r"cannot be stored, because it has no name.*ZoneInfo"):
        Serializer().encode(_event(hint)(held))


def test_the_key_of_a_dict_cannot_have_a_zone() -> None:
    with pytest.raises(SerializationError, match="would be read back as"):
        Serializer().encode(_event(dict[datetime, int])({ZONED[0]: 1}))


def test_an_unknown_zone_is_told_when_it_is_read() -> None:
    stored = '{"at":{"_type":"datetime","_value":"2024-03-30T09:00:00Z","_zone":"Mars/Olympus"}}'
    with pytest.raises(SerializationError, match="'Mars/Olympus' is not known on this machine"):
        Serializer([Slot]).decode("Slot", 1, stored)


@settings(deadline=None)  # the first look at a zone reads a file
@given(
    st.datetimes(timezones=st.none() | st.timezones() | st.just(UTC), allow_imaginary=True),
    st.times(timezones=st.none() | st.timezones()),
)
def test_any_time_of_any_zone_comes_back(moment: datetime, hour: time) -> None:
    found = _there_and_back(Slot(moment, (hour,)))
    assert [_told(found.at), _told(found.hours[0])] == [_told(moment), _told(hour)]
