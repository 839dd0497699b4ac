"""What a field may hold, and that it comes back as it was."""

from __future__ import annotations

import json
import math
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from types import ModuleType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Protocol,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import attrs
import msgspec
import pytest

from calamity_lab.errors import SerializationError
from calamity_lab.stores.serializer import Serializer

T = TypeVar("T")
AccountId = NewType("AccountId", str)


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Speed(StrEnum):
    SLOW = "slow"


class Mixed(Enum):
    ONE = 1
    HALF = 0.5
    PAIR = (1, 2)


class Right(Flag):
    READ = 1
    WRITE = 2


class Sku(str):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    price: Decimal
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Card:
    number: str


@dataclass(frozen=True, slots=True)
class Cash:
    amount: Decimal


@dataclass(frozen=True)
class Shape:
    name: str


@dataclass(frozen=True)
class Circle(Shape):
    radius: int


class Method(ABC):
    @abstractmethod
    def fee(self) -> Decimal: ...


@dataclass(frozen=True)
class Transferred(Method):
    rate: Decimal

    def fee(self) -> Decimal:
        return self.rate


class Named(Protocol):
    number: str


@attrs.frozen
class Place:
    city: str
    _secret: int = attrs.field(converter=int, validator=attrs.validators.gt(0))


class Point(NamedTuple):
    x: int
    y: Decimal = Decimal(0)


class Tag(msgspec.Struct, frozen=True, rename="camel"):
    tag_name: str
    tag_value: int = 0


class Options(TypedDict, total=False):
    colour: Colour
    size: int


class Plain:
    """A class without any dress."""

    limit: Decimal

    def __init__(self, limit: Decimal) -> None:
        self.limit = limit
        self.seen = (1, Colour.RED)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and vars(self) == vars(other)

    __hash__ = None


@dataclass(frozen=True)
class Box(Generic[T]):
    content: T


@dataclass
class Node:
    name: str
    below: tuple[Node, ...] = ()
    payment: Card | Cash | None = None


def there_and_back(hint: Any, value: Any) -> Any:
    """The value after it was the field of an event that was stored."""
    event = dataclass(type("Happened", (), {"__annotations__": {"held": hint}, "__module__": __name__}))
    serializer = Serializer()
    stored = serializer.encode(event(value))
    assert isinstance(json.loads(stored[2]), dict)
    return serializer.decode(*stored).held


def _ids(cases: Sequence[tuple[Any, ...]]) -> list[str]:
    return [f"{n}-{ascii(case[0])[:40]}" for n, case in enumerate(cases)]


UNICODE = "Grüße, 世界 👩‍👩‍👧 \0 \n \u2028 \x7f"
BERLIN = datetime(2026, 7, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))

FITTING = [
    (str, UNICODE),
    (int, 2**200),
    (int, -(10**4000)),
    (float, 1e-300),
    (float, 5),
    (bool, True),
    (None, None),
    (bytes, b"\x00\xff"),
    (Decimal, Decimal("1.10")),
    (Decimal, Decimal("-1E+500")),
    (Decimal, Decimal("Infinity")),
    (UUID, UUID(int=7)),
    (datetime, datetime(2026, 7, 1, 12, 30, 0, 123456, tzinfo=UTC)),
    (datetime, datetime(2026, 7, 1, 12, 30)),  # noqa: DTZ001 - a time without a zone may be a field, too
    (datetime, BERLIN),
    (date, date(1, 1, 1)),
    (time, time(1, 2, 3, 4)),
    (timedelta, timedelta(days=-3, microseconds=1)),
    (Colour, Colour.GREEN),
    (Level, Level.HIGH),
    (Speed, Speed.SLOW),
    (Mixed, Mixed.PAIR),
    (Right, Right.READ | Right.WRITE),
    (Sku, Sku("a-1")),
    (AccountId, AccountId("7")),
    (Annotated[int, "pence"], 3),
    (Literal["open", "closed", 3, None], "closed"),
    (Literal[True, "maybe"], True),
    (Literal[Colour.RED], Colour.RED),
    (str | None, None),
    (tuple[int, ...], (1, 2)),
    (tuple[str, Decimal], ("a", Decimal(1))),
    (tuple[()], ()),
    (tuple[str, Card | Cash], ("a", Cash(Decimal(1)))),
    (list[Line], [Line("a", Decimal("2.50"))]),
    (set[str], {"b", "a"}),
    (frozenset[date], frozenset({date(2026, 1, 1)})),
    (set[Colour] | None, {Colour.RED}),
    (deque[int], deque([1, 2])),
    (Sequence[Line], (Line("a", Decimal(1)),)),
    (Mapping[str, Line], {"x": Line("a", Decimal(1))}),
    (dict[int, str], {1: "a", 2**70: "b"}),
    (dict[Colour, Decimal], {Colour.RED: Decimal("0.1")}),
    (dict[UUID, set[int]], {UUID(int=1): {1}}),
    (dict[date, Card | Cash], {date(2026, 1, 1): Card("4")}),
    (dict[tuple[int, int], str], {(1, 2): "a"}),
    (dict[bool, Line], {True: Line("a", Decimal(1))}),
    (dict[Line, int], {Line("a", Decimal(1)): 3}),
    (dict[int | None, int], {None: 1, 2: 3}),
    (Card | Cash, Cash(Decimal("9.99"))),
    (list[Card | Cash | None], [Card("4"), None, Cash(Decimal(1))]),
    (str | UUID | Decimal | None, UUID(int=3)),
    (str | UUID | Decimal | None, "00000000-0000-0000-0000-000000000003"),
    (date | datetime, datetime(2026, 7, 1, tzinfo=UTC)),
    (int | Level, Level.LOW),
    (list[int] | set[int] | tuple[int, ...], {3}),
    (list[int] | list[str], ["a"]),
    (Line | dict[str, int], {"_type": 3}),
    (Line | tuple[Line, ...], (Line("a", Decimal(1)),)),
    (Literal["none"] | Card | Cash, "none"),
    (Shape, Circle("c", 3)),
    (list[Shape], [Shape("s"), Circle("c", 3)]),
    (Method, Transferred(Decimal("0.01"))),
    (dict[str, Method | None], {"a": Transferred(Decimal("0.01")), "b": None}),
    (Named, Card("4")),
    (Hashable, (1, "a")),
    (Place, Place("Ulm", 3)),
    (Place | Card, Place("Ulm", 3)),
    (Point, Point(1, Decimal(2))),
    (Tag, Tag("a", 3)),
    (Tag | Card, Tag("a", 3)),
    (Options, {"colour": Colour.RED}),
    (Plain, Plain(Decimal("1.5"))),
    (Box[Line], Box(Line("a", Decimal(1)))),
    (Node, Node("a", (Node("b", payment=Card("4")),))),
    (Any, [1, 2.5, "a", None, True, {"a": {"b": []}}]),
    (Any, Decimal("1.50")),
    (Any, {"at": datetime(2026, 1, 1, tzinfo=UTC), "_type": "int"}),
    (Any, (1, {2, 3}, frozenset({(4,)}), b"x", timedelta(1), UUID(int=1))),
    (Any, {1: "a", (2, 3): Line("b", Decimal(1))}),
    (Any, [Colour.RED, Mixed.HALF, Sku("s"), Point(1), Place("Ulm", 1), Tag("t"), Plain(Decimal(1))]),
    (object, {"_type": "Line"}),
    (list, [(1,), Decimal(1)]),
    (dict, {"a": (1,)}),
    (tuple, ({"a": Card("4")},)),
    ("NotToBeFound", Card("4")),
    ("list[NotToBeFound | None]", [Card("4")]),
]


@pytest.mark.parametrize(("hint", "value"), FITTING, ids=_ids(FITTING))
def test_a_field_comes_back_as_it_was(hint: Any, value: Any) -> None:
    found = there_and_back(hint, value)
    assert found == value
    assert type(found) is type(value) or (hint is float)


UNFITTING = [
    (float, math.nan, "cannot hold nan"),
    (float | None, math.inf, "cannot hold inf"),
    (Any, [math.nan], r"held\[0\]: JSON cannot hold nan"),
    (list[float], [1.0, -math.inf], r"held\[1\]"),
    (str, "\ud800", "lone surrogate"),
    (list[str], ["a", "\ud800"], r"held\[1\]: .* lone surrogate"),
    (dict[str, str], {"\ud800": "a"}, "lone surrogate"),
    (Any, "\ud800", "lone surrogate"),
    (Any, 3j, "cannot hold 3j"),
    (complex, 3j, "cannot hold 3j"),
    (Any, [Line], r"held\[0\]: JSON cannot hold"),
    (type[Line], Line, "cannot hold"),
    (Any, len, "cannot hold"),
    (int, Decimal("1.5"), "held: Expected `int`, got `str`.*Annotate"),
    (int, 1.5, "Expected `int`, got `float`"),
    (str, None, "Expected `str`, got `null`"),
    (str, UUID(int=1), "would be read back as '00"),
    (list[Line], [Line("a", 0.1)], r"held\[0\].price: 0.1 would be read back as Decimal\('0.1'\)"),  # type: ignore[arg-type]
    (list[Line], (Card("4"),), r"held\[0\]"),
    (Card, "4", "held"),
    (Line | tuple[Line, ...], (Card("4"),), r"held\[0\]: .* `sku`"),
    (Colour, "red", "would be read back as <Colour.RED"),
    (Mixed, 1, "not a member of Mixed"),
    (datetime, datetime(1880, 1, 1, tzinfo=timezone(timedelta(seconds=1172))), "would be read back"),
    (int, 10**5000, "4300 digits"),
    (set[int], 3, "is not an array"),
    (dict[tuple[int, int], int], [1], "is not a dict"),
    (tuple[int, Any], (1,), "has 2 items, and the value has 1"),
]


@pytest.mark.parametrize(("hint", "value", "told"), UNFITTING, ids=_ids(UNFITTING))
def test_a_value_that_would_not_come_back_is_an_error_that_tells_where_it_is(
    hint: Any, value: Any, told: str
) -> None:
    with pytest.raises(SerializationError, match=told) as raised:
        there_and_back(hint, value)
    assert "Happened" in str(raised.value)


def test_what_holds_itself_is_an_error() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(SerializationError, match="nested too deeply"):
        there_and_back(Any, endless)
    with pytest.raises(SerializationError, match="nested too deeply"):
        there_and_back(list[list[Any]], endless)
    with pytest.raises(SerializationError):
        there_and_back(Node, _round())


def _round() -> Node:
    node = Node("a")
    node.below = (node,)
    return node


def test_a_list_may_stand_where_a_tuple_is_annotated_and_comes_back_as_one() -> None:
    assert there_and_back(tuple[int, ...], [1, 2]) == (1, 2)
    assert there_and_back(Sequence[int], [1, 2]) == (1, 2)
    assert there_and_back(tuple[Card | Cash, ...], [Card("4")]) == (Card("4"),)


def test_a_set_is_always_written_alike() -> None:
    @dataclass
    class Tagged:
        tags: set[str]

    one = Serializer().encode(Tagged({f"tag-{n}" for n in range(50)}))
    two = Serializer().encode(Tagged({f"tag-{n}" for n in reversed(range(50))}))
    assert one == two


def test_fields_can_be_asked_for_by_their_names_in_the_payload() -> None:
    @dataclass
    class Paid:
        amount: Decimal
        by: Card | Cash
        at: datetime

    text = Serializer().encode(Paid(Decimal("1.50"), Card("4"), datetime(2026, 1, 1, tzinfo=UTC)))[2]
    assert json.loads(text) == {
        "amount": "1.50",
        "by": {"_type": "Card", "number": "4"},
        "at": "2026-01-01T00:00:00Z",
    }


def test_a_field_called_as_its_type_is_read_as_that() -> None:
    @dataclass(slots=True)
    class Due:
        date: date
        set: set[int] = field(default_factory=set)

    serializer = Serializer()
    event = Due(date(2026, 1, 1), {3})
    assert serializer.decode(*serializer.encode(event)) == event


def test_fields_that_are_not_given_get_their_defaults() -> None:
    serializer = Serializer([Line, Node, Place, Tag, Point])
    assert serializer.decode("Line", 1, '{"sku":"a","price":"1"}') == Line("a", Decimal(1))
    assert serializer.decode("Node", 1, '{"name":"a"}') == Node("a")
    assert serializer.decode("Point", 1, '{"x":1}') == Point(1)


def test_a_field_may_hold_none_if_that_is_its_default() -> None:
    @dataclass
    class Opened:
        owner: str
        nickname: str = None  # type: ignore[assignment]
        first: Line = None  # type: ignore[assignment]

    class Closed(msgspec.Struct):
        owner: str
        reason: str = None  # type: ignore[assignment]

    serializer = Serializer()
    for event in (
        Opened("ada"),
        Opened("ada", "a", Line("x", Decimal(1))),
        Closed("ada"),
        Closed("ada", "x"),
    ):
        assert serializer.decode(*serializer.encode(event)) == event
    with pytest.raises(SerializationError, match="owner: Expected `str`, got `null`"):
        serializer.encode(Opened(None))  # type: ignore[arg-type]


def test_what_belongs_to_the_class_is_no_field() -> None:
    @dataclass
    class Charged:
        rate: ClassVar[int] = 3
        amount: Any = 1

    assert Serializer().encode(Charged())[2] == '{"amount":1}'


def test_a_struct_that_is_an_array_elsewhere_is_an_object_of_its_fields_here() -> None:
    class Moved(msgspec.Struct, array_like=True, tag=True):
        x: int
        y: int = 0

    serializer = Serializer()
    stored = serializer.encode(Moved(1))
    assert stored[2] == '{"x":1,"y":0}'
    assert serializer.decode(*stored) == Moved(1)


def test_fields_that_the_class_does_not_know_are_left_out() -> None:
    serializer = Serializer([Line, Node])
    assert serializer.decode("Node", 1, '{"name":"a","more":1}') == Node("a")


def test_what_a_constructor_does_with_its_fields_is_not_done_twice() -> None:
    @dataclass
    class Doubled:
        amount: int

        def __post_init__(self) -> None:
            self.amount *= 2

    with pytest.raises(SerializationError, match="amount: 4 would be read back as 8"):
        Serializer().encode(Doubled(2))


def test_fields_that_are_set_after_construction_come_back() -> None:
    @dataclass(frozen=True, slots=True)
    class Counted:
        held: Any
        count: int = field(init=False, default=0)

    event = Counted(Decimal(1))
    object.__setattr__(event, "count", 7)
    serializer = Serializer()
    assert serializer.decode(*serializer.encode(event)) == event


def test_a_dataclass_with_an_init_of_its_own_is_filled_without_it() -> None:
    @dataclass
    class Odd:
        held: Any
        more: int = 3

        def __init__(self, something: int) -> None:
            self.held = (something,)

    serializer = Serializer()
    assert serializer.decode(*serializer.encode(Odd(3))) == Odd(3)


def test_names_that_a_function_defines_later_are_found_where_they_are() -> None:
    @dataclass
    class Ordered:
        lines: tuple[Item, ...]
        next: Ordered | None = None

    @dataclass
    class Item:
        price: Decimal

    serializer = Serializer()
    event = Ordered((Item(Decimal("1.5")),), Ordered(()))
    stored = serializer.encode(event)
    assert "_type" not in stored[2]
    assert serializer.decode(*stored) == event


def test_a_name_that_is_found_only_later_is_looked_for_again() -> None:
    module = ModuleType("cells")
    sys.modules["cells"] = module
    try:
        text = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        exec(f"{text}@dataclass\nclass Sent:\n    by: Sender\n", vars(module))
        serializer = Serializer([module.Sent])
        early = serializer.encode(module.Sent(Card("4")))
        assert early[2] == '{"by":{"_type":"Card","number":"4"}}'
        exec("@dataclass\nclass Sender:\n    number: str\n", vars(module))
        serializer.register(module.Sender)
        late = module.Sent(module.Sender("4"))
        assert serializer.encode(late)[2] == '{"by":{"number":"4"}}'
        assert serializer.decode(*serializer.encode(late)) == late
        assert serializer.decode(*early) == module.Sent(Card("4"))
    finally:
        del sys.modules["cells"]
