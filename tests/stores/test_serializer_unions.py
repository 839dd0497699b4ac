"""What is written in a union comes back as the member that it was; what could be two members is an error."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from calamity_lab.errors import SerializationError
from calamity_lab.stores.serializer import Serializer

ID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
_counted = itertools.count()


@pytest.fixture
def release() -> Iterator[Any]:
    """A function that makes a module of a program: records of one field n, and an event that holds one."""
    made = []

    def of(hint: str, *classes: str, body: str = "") -> Any:
        module: Any = ModuleType(f"release_{next(_counted)}")
        sys.modules[module.__name__] = module
        made.append(module.__name__)
        records = "".join(f"@dataclass(frozen=True)\nclass {name}:\n    n: int\n" for name in classes)
        head = "from dataclasses import dataclass\nfrom typing import *\nT = TypeVar('T')\n"
        exec(
            f"{head}{records}{body}\n@dataclass(frozen=True)\nclass Paid:\n    price: {hint}\n", vars(module)
        )
        return module

    yield of
    for name in made:
        del sys.modules[name]


FIELDS = [
    ("{0} | {1}", lambda value: value),
    ("{0} | {1} | None", lambda value: value),
    ("list[{0} | {1}]", lambda value: [value]),
    ("dict[str, {0} | {1}]", lambda value: {"a": value}),
    ("dict[str, list[{0} | {1}]]", lambda value: {"a": [value]}),
    ("Any", lambda value: value),
    ("list", lambda value: [value]),
    ("T", lambda value: value),
]


@pytest.mark.parametrize(("hint", "wrap"), FIELDS, ids=[hint for hint, _ in FIELDS])
def test_a_class_that_was_renamed_is_an_error_that_names_it(release: Any, hint: str, wrap: Any) -> None:
    old = release(hint.format("Money", "Points"), "Money", "Points")
    new = release(hint.format("Money", "Stars"), "Money", "Stars")
    stored = Serializer(old).encode(old.Paid(wrap(old.Points(3))))
    with pytest.raises(SerializationError, match=r"a Points is stored here.*stored_name = 'Points'"):
        Serializer(new).decode(*stored)
    named = Serializer(new, names={new.Stars: "Points"})
    assert named.decode(*stored) == new.Paid(wrap(new.Stars(3)))


def test_a_subclass_that_was_renamed_is_an_error_that_names_it(release: Any) -> None:
    below = "@dataclass(frozen=True)\nclass {}(Price):\n    pass\n"
    old, new = (release("Price", "Price", body=below.format(name)) for name in ("Discount", "Rebate"))
    stored = Serializer(old).encode(old.Paid(old.Discount(3)))
    with pytest.raises(SerializationError, match="a Discount is stored here"):
        Serializer(new).decode(*stored)


@pytest.mark.parametrize(
    "hint", ["Points | Money", "Money | Points", "Money | Points | None", "list[Money | Points]"]
)
def test_what_was_written_before_a_union_grew_is_an_error_where_two_members_fit(
    release: Any, hint: str
) -> None:
    is_list = hint.startswith("list")
    old, new = release("list[Money]" if is_list else "Money", "Money"), release(hint, "Money", "Points")
    stored = Serializer(old).encode(old.Paid([old.Money(3)] if is_list else old.Money(3)))
    with pytest.raises(SerializationError, match=r"before the union had these.*Name the type in an upcaster"):
        Serializer(new).decode(*stored)


def test_an_upcaster_names_the_member_that_old_events_meant(release: Any) -> None:
    old, new = release("Money", "Money"), release("Points | Money", "Money", "Points")
    stored = Serializer(old).encode(old.Paid(old.Money(3)))
    named = lambda fields: {"price": {"_type": "Money", **fields["price"]}}  # noqa: E731
    assert Serializer(new, upcasters={("Paid", 1): named}).decode(*stored) == new.Paid(new.Money(3))


OTHER = "@dataclass(frozen=True)\nclass Other:\n    {}\n"


@pytest.mark.parametrize("fields", ["m: int", "n: int; m: int", "n: str"])
def test_what_was_written_before_a_union_grew_is_read_where_one_member_fits(
    release: Any, fields: str
) -> None:
    old = release("Money", "Money")
    new = release("Other | Money", "Money", body=OTHER.format(fields))
    assert Serializer(new).decode(*Serializer(old).encode(old.Paid(old.Money(3)))).price == new.Money(3)


def test_a_member_with_all_the_stored_fields_is_taken_before_one_that_would_drop_some(release: Any) -> None:
    new = release("Money | Other", "Money", body=OTHER.format("n: int; m: int = 0"))
    serializer = Serializer(new)
    assert serializer.decode("Paid", 1, '{"price":{"n":3,"m":1}}').price == new.Other(3, 1)
    with pytest.raises(SerializationError, match="can be read as Money and as Other"):
        serializer.decode("Paid", 1, '{"price":{"n":3}}')  # an Other of before it had an m?


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Tag:
    name: str


def test_a_class_that_only_an_annotation_names_is_found(release: Any) -> None:
    box = "@dataclass(frozen=True)\nclass Box(Generic[T]):\n    item: T\n    other: Any = None\n"
    module = release("list[Box[Points]]", "Points", body=box)
    paid = module.Paid([module.Box(module.Points(1), module.Points(2))])
    assert Serializer([module.Paid]).decode(*Serializer([module.Paid]).encode(paid)) == paid
    new = release("list[Box[Stars]]", "Stars", body=box)
    with pytest.raises(SerializationError, match="a Points is stored here"):
        Serializer([new.Paid]).decode(*Serializer([module.Paid]).encode(paid))


def test_a_name_that_two_annotated_classes_have_leads_to_neither(release: Any) -> None:
    first, second = release("Any", "Points"), release("Any", "Points")
    both = {"a": list[first.Points], "b": list[second.Points], "c": Any}
    cls = dataclass(frozen=True)(type("Held", (), {"__annotations__": both, "c": None}))
    serializer = Serializer([cls])
    assert serializer.decode("Held", 1, '{"a":[{"n":1}],"b":[]}') == cls([first.Points(1)], [])
    with pytest.raises(SerializationError, match="a Points is stored here"):
        serializer.decode("Held", 1, '{"a":[],"b":[],"c":{"_type":"Points","n":1}}')


SCALARS: list[tuple[Any, list[Any]]] = [
    (str | UUID, [ID, UUID(ID), "text", ""]),
    (UUID | str | None, [ID, UUID(ID), "text", None]),
    (str | Decimal, ["1.5", Decimal("1.5"), "1,5"]),
    (int | Decimal, [1, Decimal(1), Decimal("1.50")]),
    (str | date, ["2024-01-01", date(2024, 1, 1)]),
    (str | Colour, ["red", Colour.RED, "blue"]),
    (int | float | str | UUID, [1, 1.5, "1", ID, UUID(ID)]),
    (str | bytes, ["YQ==", b"a", "a"]),
    (str | Tag | UUID, ["name", Tag("name"), ID, UUID(ID)]),
]


@pytest.mark.parametrize(
    ("hint", "value"), [(hint, value) for hint, values in SCALARS for value in values], ids=repr
)
def test_a_scalar_of_a_union_comes_back_as_what_it_was(hint: Any, value: Any) -> None:
    cls = dataclass(frozen=True)(type("Held", (), {"__annotations__": {"value": hint}}))
    serializer = Serializer([cls])
    found = serializer.decode(*serializer.encode(cls(value))).value
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("hint", "text", "told"),
    [(str | UUID, f'"{ID}"', "UUID and as str"), (str | Decimal, '"1.5"', "Decimal and as str")],
)
def test_a_text_of_before_that_could_be_another_member_is_an_error(hint: Any, text: str, told: str) -> None:
    cls = dataclass(frozen=True)(type("Held", (), {"__annotations__": {"value": hint}}))
    with pytest.raises(SerializationError, match=told):
        Serializer([cls]).decode("Held", 1, f'{{"value":{text}}}')
    assert Serializer([cls]).decode("Held", 1, '{"value":"a name"}') == cls("a name")


def test_two_members_of_one_stored_name_are_refused() -> None:
    other = dataclass(frozen=True)(type("Tag", (), {"__annotations__": {"name": str}, "__module__": "other"}))
    cls = dataclass(frozen=True)(type("Held", (), {"__annotations__": {"value": Tag | other}}))
    with pytest.raises(SerializationError, match="the same stored name"):
        Serializer([cls]).encode(cls(Tag("a")))


def test_metadata_of_an_unknown_class_is_a_dict_so_that_a_history_can_be_read_without_its_classes() -> None:
    text = Serializer().encode_metadata({"tag": Tag("a")})
    assert Serializer().decode_metadata(text) == {"tag": {"_type": "Tag", "name": "a"}}


@pytest.mark.parametrize(
    ("hint", "value", "told"),
    [
        (dict[str, int], {2024: 1}, r"2024 would be read back as '2024'"),
        (dict[str, int], {True: 1}, r"JSON cannot hold \{True: 1\}"),
        (dict[int, int], {"a": 1}, r"when it is read back"),
        (dict[str, dict[str, int]], {"a": {1: 1}}, r"1 would be read back as '1'"),
    ],
    ids=repr,
)
def test_a_key_of_another_type_is_told_with_what_was_found(hint: Any, value: Any, told: str) -> None:
    cls = dataclass(frozen=True)(type("Held", (), {"__annotations__": {"value": hint}}))
    with pytest.raises(SerializationError, match=told) as raised:
        Serializer([cls]).encode(cls(value))
    assert "object at 0x" not in str(raised.value)


def _plus(name: str) -> Any:
    return lambda fields: {**fields, name: 1}


def _rename(name: str) -> Any:
    return lambda fields: (name, {**fields, f"was_{name}": 1})


MID, NEW, BOTH = _rename("Mid"), _rename("New"), ("was_Mid", "was_New")
CHAINS = [
    ({("Old", 1): _rename("New"), ("New", 1): _plus("a")}, {"was_New", "a"}),
    ({("Old", 1): _rename("New"), ("New", 2): _plus("a")}, {"was_New", "a"}),
    ({("Old", 1): _plus("a"), ("Old", 2): _rename("New"), ("New", 1): _plus("b")}, {"a", "was_New", "b"}),
    (
        {
            ("Old", 1): _rename("Mid"),
            ("Mid", 1): _plus("a"),
            ("Mid", 2): _rename("New"),
            ("New", 1): _plus("b"),
        },
        {"was_Mid", "a", "was_New", "b"},
    ),
    (
        {("Old", 1): _rename("Mid"), ("Mid", 2): _rename("New"), ("New", 3): _plus("b")},
        {"was_Mid", "was_New", "b"},
    ),
]


@pytest.mark.parametrize(("upcasters", "names"), CHAINS)
def test_a_chain_of_upcasters_goes_on_over_a_rename(upcasters: Any, names: set[str]) -> None:
    fields = dict.fromkeys(sorted(names), int)
    cls = dataclass(frozen=True)(type("New", (), {"__annotations__": fields, **dict.fromkeys(names, 0)}))
    found = Serializer([cls], upcasters=upcasters).decode("Old", 1, "{}")
    assert vars(found) == dict.fromkeys(names, 1)


def test_upcasters_that_rename_in_a_circle_are_an_error() -> None:
    serializer = Serializer(upcasters={("Old", 1): _rename("New"), ("New", 1): _rename("Old")})
    with pytest.raises(SerializationError, match="give the name Old a second time"):
        serializer.decode("Old", 1, "{}")
