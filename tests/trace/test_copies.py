"""What the purity check charges a callback with, and what not: a table of values for each."""

from __future__ import annotations

import array
import io
import itertools
import os
import random
import re
import sys
import threading
import time
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import attrs
import msgspec
import numpy as np
import pandas as pd
import pytest

from calamity_lab.errors import ImpureModel
from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.ask import Question
from calamity_lab.lab import Lab
from calamity_lab.trace.copies import Copy, PlainParts
from calamity_lab.trace.differences import differences
from calamity_lab.trace.purity import PurityCheck
from tests.junk import JUNK


@dataclass
class Box:
    """A state that holds a value."""

    value: Any

    def apply(self, event: Any) -> Any:
        """What the error names; the tests ask in its place."""


@dataclass(frozen=True)
class Asked:
    """A message."""


class Plain:
    def __init__(self, held: Any) -> None:
        self.held = held


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


class Raises(Plain):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = object.__hash__


class Arrays(Plain):
    def __eq__(self, other: object) -> Any:
        return np.array([True, False])

    __hash__ = object.__hash__


class NoBool(Plain):
    def __eq__(self, other: object) -> Any:
        return NotImplemented

    __hash__ = object.__hash__


class Memo(Plain):
    """A class that says itself what equal means: what it remembers does not count."""

    remembered: Any = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Memo) and self.held == other.held

    def __hash__(self) -> int:
        return hash(self.held)

    def look(self) -> None:
        self.remembered = "looked"


class Circle(Plain):
    @cached_property
    def area(self) -> float:
        return 3.0 * self.held


@dataclass(frozen=True)
class Remembering:
    held: int = 1
    cache: dict[str, int] = field(default_factory=dict, compare=False)

    @cached_property
    def double(self) -> int:
        return 2 * self.held


@attrs.frozen
class RememberingAttrs:
    held: int = 1
    cache: dict[str, int] = attrs.field(factory=dict, eq=False)


class Struct(msgspec.Struct):
    held: Any = 1


class Named(NamedTuple):
    held: Any


class Failed(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"failed with {code}")
        self.code = code


class Colour(Enum):
    RED = 1


def cyclic() -> list[Any]:
    made: list[Any] = [1]
    made.append(made)
    return made


def shared() -> list[Any]:
    """A value that would have 2**40 parts if each part were copied each time."""
    made: list[Any] = [1]
    for _ in range(40):
        made = [made, made]
    return made


def levels(count: int) -> list[Any]:
    made: list[Any] = [1]
    for _ in range(count):
        made = [made]
    return made


def nothing(value: Any) -> None:
    """What a callback does that only looks."""


OPEN = open(os.devnull)  # noqa: PTH123, SIM115 - for as long as the tests run


class Fair(NamedTuple):
    """A value that a callback may hold, how it looks at it, and what the check says it cannot copy."""

    make: Callable[[], Any]
    look: Callable[[Any], object] = nothing
    unchecked: str = ""


FAIR: Mapping[str, Fair] = {
    "an array": Fair(lambda: np.arange(3), np.sum),
    "an array of NaN": Fair(lambda: np.array([float("nan")])),
    "an array of objects": Fair(lambda: np.array([Plain(1), None, "a"], dtype=object)),
    "a read-only array": Fair(lambda: np.broadcast_to(np.arange(3), (2, 3))),
    "an array with names": Fair(lambda: np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])),
    "numpy's number": Fair(lambda: np.float64("nan")),
    "a frame": Fair(lambda: pd.DataFrame({"a": [1.0, float("nan")]}), lambda frame: frame["a"].sum()),
    "a column": Fair(lambda: pd.Series([1, 2]), lambda column: column.mean()),
    "a moment of pandas": Fair(lambda: pd.Timestamp("2026-01-01")),
    "nothing of pandas": Fair(lambda: pd.NaT),
    "an exception": Fair(lambda: ValueError("no", [1])),
    "an exception of its own": Fair(lambda: Failed(3)),
    "a cached property": Fair(lambda: Circle(2), lambda circle: circle.area),
    "a cached property of a record": Fair(Remembering, lambda record: record.double),
    "a field that does not count": Fair(Remembering, lambda record: record.cache.update(a=1)),
    "a field that does not count in attrs": Fair(RememberingAttrs, lambda record: record.cache.update(a=1)),
    "a mapping proxy": Fair(lambda: MappingProxyType({"a": [1]})),
    "== raises": Fair(lambda: Raises([1])),
    "== gives an array": Fair(lambda: Arrays([1])),
    "== gives no answer": Fair(lambda: NoBool([1])),
    "== of its own": Fair(lambda: Memo(1), lambda memo: memo.look()),
    "no ==": Fair(lambda: Plain([Plain(1)])),
    "slots": Fair(lambda: Slotted([Slotted(1)])),
    "a namespace": Fair(lambda: SimpleNamespace(a=[1])),
    "a generator": Fair(lambda: (n for n in [1]), unchecked="generator"),
    "an iterator": Fair(lambda: iter([1, 2])),
    # From Python 3.14 on, a counter cannot be copied.
    "a counter that is not asked": Fair(
        itertools.count, unchecked="count" if sys.version_info >= (3, 14) else ""
    ),
    "a random that is not asked": Fair(lambda: random.Random(1)),
    "a set of objects": Fair(lambda: {Plain(1), Plain(2), Plain(3)}),
    "a set of texts": Fair(lambda: {"a", "b", "c"}),
    "a set of sets": Fair(lambda: {frozenset("ab"), frozenset("cd")}),
    "a lock": Fair(threading.Lock, unchecked="lock"),
    "locks in a list": Fair(lambda: [threading.Lock(), 1], unchecked="lock"),
    "an open file": Fair(lambda: OPEN, unchecked="TextIOWrapper"),
    "a text file": Fair(lambda: io.StringIO("a")),
    "a lambda": Fair(lambda: lambda: 1),
    "a method": Fair(lambda: Plain(1).__init__),
    "a partial": Fair(lambda: partial(print, 1)),
    "a class": Fair(lambda: Plain),
    "a module": Fair(lambda: re),
    "a pattern": Fair(lambda: re.compile("a")),
    "a weak reference": Fair(lambda: weakref.ref(Plain)),
    "an object": Fair(object),
    "NaN": Fair(lambda: [float("nan"), Decimal("NaN"), Decimal("sNaN"), complex("nan")]),
    "plain values": Fair(
        lambda: [
            Decimal(1),
            Fraction(1, 3),
            UUID(int=7),
            Path("a"),
            datetime(2026, 1, 1, tzinfo=UTC),
            range(3),
            Colour.RED,
            ...,
        ]
    ),
    "collections": Fair(lambda: [deque([1]), OrderedDict(a=1), defaultdict(list), array.array("d", [1.0])]),
    "records": Fair(lambda: [Box([1]), Struct([1]), Named([1]), RememberingAttrs()]),
    "a cycle": Fair(cyclic),
    "a part in many places": Fair(shared),
    "200 levels": Fair(lambda: levels(200), unchecked="list"),
    "keys of every kind": Fair(lambda: {1: 1, "1": 2, (1, 2): 3, None: 4, frozenset("a"): 5}),
}


def watched(value: Any, call: Callable[[Any], object], watch: PurityCheck) -> Any:
    """Ask a callback of a state that holds the value; the callback does something with the value."""
    box = Box(value)
    return watch(Question(box, "apply", Asked(), lambda *_: call(box.value)))


@pytest.mark.parametrize("name", FAIR)
def test_a_callback_that_only_looks_is_charged_with_nothing(name: str) -> None:
    fair, watch = FAIR[name], PurityCheck()
    watched(fair.make(), lambda value: fair.look(value) and None, watch)
    assert set(watch.unchecked) == ({"Box.value"} if fair.unchecked else set())
    if fair.unchecked:
        assert watch.unchecked["Box.value"].startswith(f"not checked: a value of {fair.unchecked} ")


@pytest.mark.parametrize("name", FAIR)
def test_a_callback_that_answers_with_such_a_value_twice_has_given_one_answer(name: str) -> None:
    PurityCheck()(Question(Box(1), "apply", Asked(), lambda *_: Box([FAIR[name].make()])))


@pytest.mark.parametrize("name", JUNK)
def test_no_value_at_all_makes_the_check_raise(name: str) -> None:
    value = JUNK[name]()
    watched(value, lambda _: None, PurityCheck())
    PurityCheck()(Question(Box(1), "apply", Asked(), lambda *_: Box(value)))


class Charge(NamedTuple):
    """A value, how a callback changes it, and the path that the error names."""

    make: Callable[[], Any]
    change: Callable[[Any], object]
    path: str


CHARGES: Mapping[str, Charge] = {
    "a list in an array of objects": Charge(
        lambda: np.array([[1], None], dtype=object), lambda a: a[0].append(2), "value[0][1]"
    ),
    "an item of an array": Charge(lambda: np.arange(3), lambda a: a.__setitem__(0, 9), "value"),
    "a dict in a dict": Charge(lambda: {"a": {"b": 1}}, lambda d: d["a"].update(b=2), "value.a.b"),
    "a key of a default dict": Charge(lambda: defaultdict(list), lambda d: d["a"], "value.a"),
    "the dict behind a proxy": Charge(
        lambda: MappingProxyType({"a": [1]}), lambda d: d["a"].append(2), "value.a[1]"
    ),
    "an object without ==": Charge(lambda: Plain(1), lambda o: setattr(o, "held", 2), "value.held"),
    "a new attribute": Charge(lambda: Plain(1), lambda o: setattr(o, "more", 2), "value.more"),
    "an object in a set": Charge(
        lambda: {Plain(1)}, lambda s: setattr(next(iter(s)), "held", 2), "value[0].held"
    ),
    "a set": Charge(lambda: {1, 2}, lambda s: s.add(3), "value"),
    "a set of objects": Charge(lambda: {Plain(1)}, lambda s: s.add(Plain(2)), "value[1]"),
    "a slot": Charge(lambda: Slotted(1), lambda o: setattr(o, "held", 2), "value.held"),
    "== raises": Charge(lambda: Raises([1]), lambda o: o.held.append(2), "value.held[1]"),
    "== gives an array": Charge(lambda: Arrays([1]), lambda o: o.held.append(2), "value.held[1]"),
    "== of its own": Charge(lambda: Memo(1), lambda o: setattr(o, "held", 2), "value"),
    "beside a cached property": Charge(lambda: Circle(1), lambda o: setattr(o, "held", o.area), "value.held"),
    "a frozen record": Charge(Remembering, lambda o: object.__setattr__(o, "held", 2), "value.held"),
    "a frozen record in a tuple": Charge(
        lambda: (Colour.RED, (Remembering(),)),
        lambda v: object.__setattr__(v[1][0], "held", 2),
        "value[1][0].held",
    ),
    "a struct of numbers": Charge(lambda: Struct(1), lambda o: setattr(o, "held", None), "value.held"),
    "a struct": Charge(lambda: Struct([1]), lambda o: o.held.append(2), "value.held[1]"),
    "a named tuple": Charge(lambda: Named([1]), lambda o: o.held.append(2), "value.held[1]"),
    "a deque": Charge(lambda: deque([1]), lambda d: d.append(2), "value[1]"),
    "a bytearray": Charge(lambda: bytearray(b"a"), lambda b: b.extend(b"b"), "value.state[0][0]"),
    "the arguments of an exception": Charge(
        lambda: ValueError([1]), lambda e: e.args[0].append(2), "value.args[0][1]"
    ),
    "a frame": Charge(lambda: pd.DataFrame({"a": [1]}), lambda f: f.insert(0, "b", [1]), "value"),
    "a list beside a lock": Charge(lambda: [threading.Lock(), []], lambda v: v[1].append(1), "value[1][0]"),
    "a list in a cycle": Charge(cyclic, lambda v: v.append(1), "value[2]"),
    "a NaN that becomes a number": Charge(
        lambda: [float("nan")], lambda v: v.__setitem__(0, 1.0), "value[0]"
    ),
    "a random that is asked": Charge(lambda: random.Random(1), random.Random.random, "value.state[1][1][0]"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHARGES)
def test_a_callback_that_changes_what_it_holds_is_named_and_the_change_is_put_back(name: str) -> None:
    charge = CHARGES[name]
    value = charge.make()
    before = Copy.of_fields(Box(value)).plain
    with pytest.raises(ImpureModel, match=r"changed self\.value") as caught:
        watched(value, lambda held: charge.change(held) and None, PurityCheck())
    assert caught.value.field == charge.path
    if name not in ("a bytearray", "a random that is asked", "a frame"):
        assert Copy.of_fields(Box(value)).plain == before


ROWS: Mapping[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "true": lambda: True,
    "another number": lambda: 2,
    "empty": tuple,
    "a tuple": lambda: (1, 2),
    "a tuple in a tuple": lambda: ((1, 2),),
    "two tuples": lambda: ((1,), (2,)),
    "a record": lambda: Remembering(1),
    "a record of another number": lambda: Remembering(2),
    "the same in another class": lambda: RememberingAttrs(1),
    "records": lambda: Named((Struct(Colour.RED), Remembering(2))),
    "a class in a field": lambda: Struct(int),
    **{name: fair.make for name, fair in FAIR.items()},
    **JUNK,
}


@pytest.mark.parametrize("name", ROWS)
def test_values_with_equal_rows_have_equal_copies(name: str) -> None:
    copied = Copy(ROWS[name]()).plain
    for make in [make for make in ROWS.values() if PlainParts(make()) == PlainParts(ROWS[name]())]:
        assert next(differences(copied, Copy(make()).plain), None) is None


def test_the_messages_and_states_of_a_run_have_rows_and_are_not_copied() -> None:
    for model in (bank, fulfilment):
        lab = Lab(model)
        lab.send(*model.story())
        lab.resume()
        values = [*lab.aggregates.values(), *(each.event for each in lab.events)]
        assert len(values) > 10
        assert [each for each in values if PlainParts(each) != PlainParts(each)] == []


class Listed(list[int]):
    def apply(self, event: Any) -> Any:
        """What the error names."""


class Mapped(dict[str, int]):
    def apply(self, event: Any) -> Any:
        """What the error names."""


@pytest.mark.parametrize(
    ("state", "change", "path"),
    [
        (Listed([1]), lambda state: state.append(2), "items[1]"),
        (Mapped(a=1), lambda state: state.update(a=2), "items.a"),
    ],
)
def test_a_state_that_is_itself_a_container_is_watched_too(
    state: Any, change: Callable[[Any], object], path: str
) -> None:
    before = type(state)(state)
    with pytest.raises(ImpureModel, match=r"changed self\.items") as caught:
        PurityCheck()(Question(state, "apply", Asked(), lambda *_: change(state)))
    assert (caught.value.field, state) == (path, before)


numbers = itertools.count()


@pytest.mark.parametrize(
    "answer",
    [
        random.random,
        time.perf_counter_ns,
        lambda: datetime.now(UTC),
        lambda: next(numbers),
        uuid4,
        lambda: {"a": [random.random()]},
        lambda: Plain(random.random()),
        lambda: {Plain(next(numbers))},
        lambda: np.array([random.random()]),
        lambda: np.array([[next(numbers)]], dtype=object),
        lambda: ValueError(next(numbers)),
        lambda: MappingProxyType({"a": next(numbers)}),
        lambda: Raises(next(numbers)),
        lambda: pd.DataFrame({"a": [next(numbers)]}),
    ],
)
def test_two_answers_to_one_question_are_named(answer: Callable[[], Any]) -> None:
    with pytest.raises(ImpureModel, match="gave two answers to Asked"):
        PurityCheck()(Question(Box(1), "apply", Asked(), lambda *_: Box([answer()])))


def test_an_answer_that_is_once_there_and_once_not_is_shown_as_it_is() -> None:
    answers = iter([Box([1]), None])
    with pytest.raises(ImpureModel, match=r"Box\(value=\[1\]\), then –"):
        PurityCheck()(Question(Box(1), "apply", Asked(), lambda *_: next(answers)))


@dataclass(frozen=True)
class Put:
    shelf: str

    def aggregate(self) -> tuple[type, str]:
        return Shelf, self.shelf


@dataclass(frozen=True)
class Kept:
    shelf: str


@dataclass(frozen=True)
class Shelf:
    shelf: str
    lock: Any = None
    count: int = 0

    @classmethod
    def new(cls, shelf: str) -> Shelf:
        return cls(shelf, threading.Lock())

    def execute(self, put: Put) -> Kept:
        return Kept(self.shelf)

    def apply(self, kept: Kept) -> Shelf:
        return replace(self, count=self.count + 1)


def test_a_lab_says_which_fields_are_not_checked() -> None:
    lab = Lab(aggregates=[Shelf], commands=[Put], events=[Kept])
    lab.send(Put("1"))
    assert lab.unchecked == {}
    lab.resume()
    assert lab.unchecked == {"Shelf.lock": "not checked: a value of lock cannot be copied"}
    assert lab.aggregates["Shelf-1"].count == 1
