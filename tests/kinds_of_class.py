"""One small model, written in every kind of class that a message or a state may be."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from types import ModuleType
from typing import Any

from calamity_lab.kernel.schema import fields_of, is_record

_IMPORTS = """
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import NamedTuple
import attrs, msgspec, pydantic, pydantic.dataclasses

class Colour(Enum):
    RED = 1
    BLUE = "b"
"""

# The heading of a class of each kind; "plain" has an ``__init__`` beside it.
HEADINGS = {
    "dataclass": "@dataclass(frozen=True)\nclass {name}:",
    "dataclass with slots": "@dataclass(frozen=True, slots=True)\nclass {name}:",
    "attrs": "@attrs.frozen\nclass {name}:",
    "msgspec": "class {name}(msgspec.Struct, frozen=True):",
    "named tuple": "class {name}(NamedTuple):",
    "pydantic": "class {name}(pydantic.BaseModel, frozen=True):",
    "pydantic dataclass": "@pydantic.dataclasses.dataclass(frozen=True)\nclass {name}:",
    "plain": "class {name}:",
}

_FIELDS = {
    "Item": "sku: str; price: Decimal; colour: Colour = Colour.RED",
    "AddItem": "basket_id: str; item: Item; count: int = 1",
    "ItemAdded": "item: Item; count: int",
    "Basket": "basket_id: str; items: tuple[Item, ...] = ()",
}

_METHODS = {
    "AddItem": """
    def aggregate(self):
        return Basket, self.basket_id
""",
    "Basket": """
    @classmethod
    def new(cls, basket_id):
        return cls(basket_id=basket_id)

    def execute(self, command):
        match command:
            case AddItem():
                return ItemAdded(item=command.item, count=command.count)

    def apply(self, event):
        match event:
            case ItemAdded():
                return Basket(basket_id=self.basket_id, items=(*self.items, event.item))
        return self
""",
}


def source_of(kind: str, *, annotations_as_text: bool, **fields: str) -> str:
    """The model's source, with classes of that kind; ``fields`` are other fields for some of them."""
    start = "from __future__ import annotations\n" if annotations_as_text else ""
    return start + _IMPORTS + "".join(_class(kind, *each) for each in {**_FIELDS, **fields}.items())


def _class(kind: str, name: str, declared: str) -> str:
    fields = declared.split("; ")
    if kind == "plain":
        kept = "".join(f"        self.{f.partition(':')[0]} = {f.partition(':')[0]}\n" for f in fields)
        body = f"    def __init__(self, {', '.join(fields)}) -> None:\n{kept}"
    else:
        body = "".join(f"    {field}\n" for field in fields)
    return f"\n{HEADINGS[kind].format(name=name)}\n{body}{_METHODS.get(name, '')}"


@contextmanager
def model_of(kind: str, *, annotations_as_text: bool, **fields: str) -> Iterator[Any]:
    """The model as a module of its own, as a user has it."""
    name = f"basket_of_{kind.replace(' ', '_')}_{annotations_as_text}"
    module = sys.modules[name] = ModuleType(name)
    try:
        exec(source_of(kind, annotations_as_text=annotations_as_text, **fields), module.__dict__)
        yield module
    finally:
        del sys.modules[name]


def plain(value: Any) -> Any:
    """A value with every record in it as the name of its class and its fields, to be compared by them."""
    if is_record(value) and not isinstance(value, (Enum, Mapping)) and fields_of(value):
        return type(value).__name__, {name: plain(item) for name, item in fields_of(value).items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
