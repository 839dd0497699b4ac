"""What holds for whatever is stored: it comes back equal, or is refused when it is written."""

from __future__ import annotations

import json
import math
from dataclasses import make_dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from functools import reduce
from itertools import count
from operator import or_
from types import ModuleType
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import SerializationError
from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.model import Model
from calamity_lab.stores.serializer import Serializer, UnknownEvent
from tests.examples.driving import moments


class Field(NamedTuple):
    """An annotation, and the values that fit it."""

    hint: Any
    values: st.SearchStrategy[Any]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Odd(Enum):
    PAIR = (1, 2)
    HALF = 0.5


NUMBERS = count()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["_type", "1", "\0", "🤷🏽‍♀️"]
)
SCALARS = [
    Field(str, TEXTS),
    Field(int, st.integers() | st.integers(2**63, 2**200)),
    Field(float, st.floats(allow_nan=False, allow_infinity=False)),
    Field(bool, st.booleans()),
    Field(bytes, st.binary(max_size=5)),
    Field(Decimal, st.decimals(allow_nan=False)),
    Field(UUID, st.uuids()),
    Field(datetime, (st.datetimes() | st.datetimes(timezones=st.just(UTC))).map(lambda d: d.replace(fold=0))),
    Field(date, st.dates()),
    Field(timedelta, st.timedeltas()),
    Field(Colour, st.sampled_from(Colour)),
    Field(Level, st.sampled_from(Level)),
    Field(Odd, st.sampled_from(Odd)),
    Field(Literal["a", "b", None], st.sampled_from(["a", "b", None])),
    Field(Literal[True, 7], st.sampled_from([True, 7])),
]


def _record(name: str, fields: list[Field]) -> Field:
    named = [(f"field_{n}", field.hint) for n, field in enumerate(fields)]
    cls = make_dataclass(name, named, frozen=True, namespace={"__module__": __name__})
    return Field(cls, st.builds(cls, *(field.values for field in fields)))


PARTS = [
    _record("Empty", []),
    _record("Pair", [SCALARS[0], SCALARS[5]]),
    _record("Mix", [SCALARS[12], SCALARS[7]]),
]
HASHABLE = [*SCALARS, *PARTS]


def _union(fields: list[Field]) -> Field:
    return Field(
        reduce(or_, (field.hint for field in fields)), st.one_of(*(field.values for field in fields))
    )


def _containers(inner: st.SearchStrategy[Field]) -> st.SearchStrategy[Field]:
    keys = st.sampled_from(HASHABLE)
    return st.one_of(
        inner.map(lambda f: Field(f.hint | None, f.values | st.none())),
        inner.map(lambda f: Field(tuple[f.hint, ...], st.lists(f.values, max_size=3).map(tuple))),
        inner.map(lambda f: Field(list[f.hint], st.lists(f.values, max_size=3))),
        keys.map(lambda f: Field(frozenset[f.hint], st.frozensets(f.values, max_size=3))),
        keys.map(lambda f: Field(set[f.hint], st.sets(f.values, max_size=3))),
        st.lists(inner, min_size=1, max_size=2).map(
            lambda fs: Field(tuple[tuple(f.hint for f in fs)], st.tuples(*(f.values for f in fs)))
        ),
        st.tuples(keys, inner).map(
            lambda both: Field(
                dict[both[0].hint, both[1].hint], st.dictionaries(both[0].values, both[1].values, max_size=3)
            )
        ),
        st.lists(inner, min_size=2, max_size=3).map(_union),
        st.lists(inner, max_size=2).map(lambda fs: _record(f"Nested{next(NUMBERS)}", fs)),
    )


FIELDS = st.recursive(st.sampled_from(HASHABLE), _containers, max_leaves=4)
ANYTHING = st.recursive(
    st.one_of(st.none(), *(field.values for field in HASHABLE)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(TEXTS | st.integers(), inner, max_size=3),
    ),
    max_leaves=6,
)


@settings(max_examples=50, deadline=None)
@given(st.data(), st.lists(FIELDS, max_size=4))
def test_whatever_fits_its_annotations_comes_back_equal(data: st.DataObject, fields: list[Field]) -> None:
    cls, values = _record("Happened", fields)
    event = data.draw(values)
    name, version, text = stored = Serializer([cls]).encode(event)
    assert isinstance(json.loads(text), dict)
    assert Serializer([cls, *(part.hint for part in PARTS), Colour, Level, Odd]).decode(*stored) == event
    # Read without its class, it is written again as it was.
    unknown = Serializer().decode(*stored)
    assert isinstance(unknown, UnknownEvent)
    assert Serializer().encode(unknown) == (name, version, text)


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_whatever_stands_in_a_field_that_says_nothing_comes_back_as_it_was(value: Any) -> None:
    cls, _ = _record("Happened", [Field(Any, st.none())])
    serializer = Serializer([cls])
    found = serializer.decode(*serializer.encode(cls(value)))
    assert found == cls(value)
    assert _types(found.field_0) == _types(value)


def _types(value: Any) -> Any:
    """What `==` does not tell apart: True and 1, and what they stand in."""
    if isinstance(value, (list, tuple)):
        return type(value), [_types(item) for item in value]
    if isinstance(value, dict):
        return dict, [(_types(key), _types(item)) for key, item in value.items()]
    return type(value)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(FIELDS, min_size=1, max_size=2))
def test_what_does_not_fit_its_annotations_comes_back_equal_or_is_refused(
    data: st.DataObject, fields: list[Field]
) -> None:
    cls, _ = _record("Happened", fields)
    event = cls(*data.draw(st.lists(ANYTHING, min_size=len(fields), max_size=len(fields))))
    serializer = Serializer([cls])
    try:
        stored = serializer.encode(event)
    except SerializationError:
        return
    found = serializer.decode(*stored)
    for mine, theirs in zip(vars(event).values(), vars(found).values(), strict=True):
        assert _alike(mine, theirs)


def _alike(mine: Any, theirs: Any) -> bool:
    """Equal, but for a list that comes back as a tuple, or the other way round, as annotated."""
    if isinstance(mine, (list, tuple)) and isinstance(theirs, (list, tuple)):
        return len(mine) == len(theirs) and all(map(_alike, mine, theirs))
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(_alike(mine[key], theirs[key]) for key in mine)
    return bool(mine == theirs)


@pytest.mark.parametrize("example", [bank, fulfilment], ids=["bank", "fulfilment"])
def test_all_that_the_examples_tell_comes_back_as_it_was(example: ModuleType) -> None:
    model = Model.find(example)
    stack = Stack(process_manager_types=model.process_managers, clock=ticking_clock(), ids=seeded_ids(7))
    begun = begin(stack, *example.story())
    states: dict[str, Any] = {}
    commands = list(begun.agenda)
    for _, run in moments(begun):
        commands.extend(run.agenda)
        for store in (run.stack.aggregates, run.stack.process_managers):
            states |= {repr(state): state for state in dict(store).values()}
    history = list(run.stack.event_store.stream(ALL))
    assert len(history) > 10
    assert {type(state) for state in states.values()} >= {*model.aggregates, *model.process_managers}
    writer, reader = Serializer(model), Serializer(example)
    for message in (*commands, *(recorded.event for recorded in history)):
        found = reader.decode(*writer.encode(message))
        assert found == message
        assert repr(found) == repr(message)
    for state in states.values():
        found = reader.decode_state(type(state), writer.encode_state(state))
        assert found == state
        assert repr(found) == repr(state)
    for recorded in history:
        found = reader.decode_metadata(writer.encode_metadata(recorded.metadata))
        assert (found, type(found)) == (recorded.metadata, type(recorded.metadata))


@settings(max_examples=40, deadline=None)
@given(st.floats(), st.sampled_from([float, float | None, Any, list[float], dict[str, float]]))
def test_a_number_that_json_has_no_word_for_is_refused_wherever_it_stands(number: float, hint: Any) -> None:
    cls, _ = _record("Measured", [Field(hint, st.none())])
    held = {list[float]: [number], dict[str, float]: {"a": number}}.get(hint, number)
    serializer = Serializer()
    if math.isfinite(number):
        assert serializer.decode(*serializer.encode(cls(held))) == cls(held)
    else:
        with pytest.raises(SerializationError, match="cannot hold"):
            serializer.encode(cls(held))
