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
    with module_of(name, source_of(kind, annotations_as_text=annotations_as_text, **fields)) as module:
        yield module


@contextmanager
def module_of(name: str, source: str) -> Iterator[Any]:
    """A module with that source, for as long as the block lasts."""
    module = sys.modules[name] = ModuleType(name)
    try:
        exec(source, module.__dict__)
        yield module
    finally:
        del sys.modules[name]


def plain(value: Any) -> Any:
    """A value with every record in it as the name of its class and its fields, to be compared by them."""
    if is_record(value) and not isinstance(value, (Enum, Mapping)) and fields_of(value):
        return type(value).__name__, {name: plain(item) for name, item in fields_of(value).items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


# One small bank, written in many ways. Each has the messages Open, Pay, Opened and Paid.
_MESSAGES = """from __future__ import annotations
from dataclasses import dataclass, replace
from functools import singledispatch, singledispatchmethod
from typing import Any, Generic, TypeVar
from calamity_lab import Continue, Decider, Rejected, Start, command, policy
@dataclass(frozen=True)
class Opened:
    id: str
@dataclass(frozen=True)
class Paid:
    id: str
    amount: int
@command(to="Account", by="id")
@dataclass(frozen=True)
class Open:
    id: str
@command(to="Account", by="id")
@dataclass(frozen=True)
class Pay:
    id: str
    amount: int
"""

_STATE = """
@dataclass(frozen=True)
class Account:
    id: str
    balance: int = 0
    @classmethod
    def new(cls, id): return cls(id)
"""

_BONUS = """
@dataclass(frozen=True)
class Bonus:
    id: str
    @classmethod
    def new(cls, id): return cls(id)
"""

WAYS = {
    "singledispatchmethod everywhere": _MESSAGES
    + _STATE
    + """
    @singledispatchmethod
    def execute(self, command): raise Rejected("unknown")
    @execute.register
    def _(self, command: Open): return Opened(self.id)
    @execute.register
    def _(self, command: Pay, context): return Paid(self.id, command.amount)
    @singledispatchmethod
    def apply(self, event): return self
    @apply.register
    def _(self, event: Paid, recorded): return replace(self, balance=self.balance + event.amount)
"""
    + _BONUS
    + """
    @singledispatchmethod
    @classmethod
    def interested(cls, event): return None
    @interested.register
    @classmethod
    def _(cls, event: Opened): return Start(event.id)
    @singledispatchmethod
    def apply(self, event): return self
    @singledispatchmethod
    def handle(self, event): return None
    @handle.register
    def _(self, event: Opened): return Pay(event.id, 1)
""",
    "getattr dispatch": _MESSAGES
    + _STATE
    + """
    def execute(self, command): return getattr(self, f"do_{type(command).__name__.lower()}")(command)
    def do_open(self, command): return Opened(self.id)
    def do_pay(self, command): return Paid(self.id, command.amount)
    def apply(self, event): return getattr(self, "on_" + type(event).__name__)(event)
    def on_Opened(self, event): return self
    def on_Paid(self, event): return replace(self, balance=self.balance + event.amount)
"""
    + _BONUS
    + """
    @classmethod
    def interested(cls, event):
        find = getattr(cls, "wants_" + type(event).__name__, None)
        return find(event) if find else None
    @classmethod
    def wants_Opened(cls, event): return Start(event.id)
    def apply(self, event): return self
    def handle(self, event): return Pay(event.id, 1)
""",
    "getattr in a base class": _MESSAGES
    + """
class Base:
    def execute(self, command): return getattr(self, f"do_{type(command).__name__}")(command)
    def apply(self, event): return getattr(self, "on_" + type(event).__name__)(event)
@dataclass(frozen=True)
class Account(Base):
    id: str
    balance: int = 0
    @classmethod
    def new(cls, id): return cls(id)
    def do_Open(self, command): return Opened(self.id)
    def do_Pay(self, command): return Paid(self.id, command.amount)
    def on_Opened(self, event): return self
    def on_Paid(self, event): return replace(self, balance=self.balance + event.amount)
"""
    + _BONUS
    + """
    @classmethod
    def interested(cls, event): return Start(event.id) if isinstance(event, Opened) else None
    def apply(self, event): return self
    def handle(self, event): return Pay(event.id, 1)
""",
    "dispatch table": _MESSAGES
    + _STATE
    + """
    def execute(self, command): return _DO[type(command)](self, command)
    def apply(self, event): return _ON[type(event)](self, event)
_DO = {Open: lambda self, c: Opened(self.id), Pay: lambda self, c: Paid(self.id, c.amount)}
_ON = {Opened: lambda self, e: self, Paid: lambda self, e: replace(self, balance=self.balance + e.amount)}
"""
    + _BONUS
    + """
    _WANTS = {Opened: lambda e: Start(e.id)}
    @classmethod
    def interested(cls, event):
        found = cls._WANTS.get(type(event))
        return found and found(event)
    def apply(self, event): return self
    def handle(self, event): return Pay(event.id, 1)
""",
    "dispatch table in the class": _MESSAGES
    + _STATE
    + """
    def execute(self, command): return self.DO[type(command)](self, command)
    def apply(self, event): return self.ON[type(event)](self, event)
    def open(self, c): return Opened(self.id)
    def pay(self, c): return Paid(self.id, c.amount)
    def opened(self, e): return self
    def paid(self, e): return replace(self, balance=self.balance + e.amount)
    DO = {Open: open, Pay: pay}
    ON = {Opened: opened, Paid: paid}
"""
    + _BONUS
    + """
    @classmethod
    def interested(cls, event): return Start(event.id) if isinstance(event, Opened) else None
    def apply(self, event): return self
    def handle(self, event): return Pay(event.id, 1)
""",
    "nested classes": """
from dataclasses import dataclass, replace
from typing import Any
from calamity_lab import Start, command
@dataclass(frozen=True)
class Account:
    id: str
    balance: int = 0
    @dataclass(frozen=True)
    class Opened:
        id: str
    @dataclass(frozen=True)
    class Paid:
        id: str
        amount: int
    @dataclass(frozen=True)
    class Open:
        id: str
        def aggregate(self): return Account, self.id
    @dataclass(frozen=True)
    class Pay:
        id: str
        amount: int
        def aggregate(self): return Account, self.id
    @classmethod
    def new(cls, id): return cls(id)
    def execute(self, command):
        match command:
            case Account.Open(): return Account.Opened(self.id)
            case Account.Pay(amount=a): return Account.Paid(self.id, a)
    def apply(self, event):
        match event:
            case Account.Paid(amount=a): return replace(self, balance=self.balance + a)
            case Account.Opened(): return self
"""
    + _BONUS
    + """
    @classmethod
    def interested(cls, event): return Start(event.id) if isinstance(event, Account.Opened) else None
    def apply(self, event): return self
    def handle(self, event): return Account.Pay(event.id, 1)
Open, Pay, Opened, Paid = Account.Open, Account.Pay, Account.Opened, Account.Paid
""",
    "bases that are no messages": """
from dataclasses import dataclass, replace
from abc import ABC, abstractmethod
from calamity_lab import Start, command
class Event: ...
class Command(ABC):
    id: str
    def aggregate(self): return Account, self.id
class Aggregate:
    @classmethod
    def new(cls, id): return cls(id)
    def execute(self, command): raise NotImplementedError
    def apply(self, event): raise NotImplementedError
@dataclass(frozen=True)
class Opened(Event):
    id: str
@dataclass(frozen=True)
class Paid(Event):
    id: str
    amount: int
@dataclass(frozen=True)
class Open(Command):
    id: str
@dataclass(frozen=True)
class Pay(Command):
    id: str
    amount: int
@dataclass(frozen=True)
class Account(Aggregate):
    id: str
    balance: int = 0
    def execute(self, command):
        match command:
            case Open(): return Opened(self.id)
            case Pay(amount=a): return Paid(self.id, a)
    def apply(self, event):
        return replace(self, balance=self.balance + event.amount) if isinstance(event, Paid) else self
class Saga:
    @classmethod
    def new(cls, id): return cls(id)
    @classmethod
    def interested(cls, event): return None
    def apply(self, event): return self
    def handle(self, event): return None
@dataclass(frozen=True)
class Bonus(Saga):
    id: str
    @classmethod
    def interested(cls, event): return Start(event.id) if isinstance(event, Opened) else None
    def handle(self, event): return Pay(event.id, 1)
""",
    "generic events": """
from __future__ import annotations
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, Any
from calamity_lab import Start, command
T = TypeVar("T")
@dataclass(frozen=True)
class Trick:
    amount: int
@dataclass(frozen=True)
class Hello:
    name: str
@dataclass(frozen=True)
class Event(Generic[T]):
    id: str
    data: T
@dataclass(frozen=True)
class Order(Generic[T]):
    id: str
    data: T
    def aggregate(self): return Account, self.id
"""
    + _STATE
    + """
    def execute(self, command: Order[Any]):
        match command.data:
            case Hello() as h: return Event[Hello](self.id, h)
            case Trick() as t: return Event[Trick](self.id, t)
    def apply(self, event: Event[Trick] | Event[Hello]):
        match event:
            case Event(data=Trick(amount=a)): return replace(self, balance=self.balance + a)
        return self
"""
    + _BONUS
    + """
    @classmethod
    def interested(cls, event):
        return Start(event.id) if isinstance(event, Event) and isinstance(event.data, Hello) else None
    def apply(self, event): return self
    def handle(self, event): return Order(event.id, Trick(1))
def Open(id): return Order(id, Hello("x"))
def Pay(id, amount): return Order(id, Trick(amount))
""",
    "generic subclasses": """
from __future__ import annotations
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, Any
from calamity_lab import Start, command
T = TypeVar("T")
@dataclass(frozen=True)
class Event(Generic[T]):
    id: str
    data: T
class Opened(Event[str]): ...
class Paid(Event[int]): ...
@dataclass(frozen=True)
class Cmd(Generic[T]):
    id: str
    data: T
    def aggregate(self): return Account, self.id
class Open(Cmd[str]): ...
class Pay(Cmd[int]): ...
"""
    + _STATE
    + """
    def execute(self, command):
        match command:
            case Open(): return Opened(self.id, command.data)
            case Pay(): return Paid(self.id, command.data)
    def apply(self, event):
        match event:
            case Paid(): return replace(self, balance=self.balance + event.data)
        return self
"""
    + _BONUS
    + """
    @classmethod
    def interested(cls, event): return Start(event.id) if isinstance(event, Opened) else None
    def apply(self, event): return self
    def handle(self, event): return Pay(event.id, 1)
""",
    "decider and policy": _MESSAGES
    + """
@singledispatch
def decide(command, state): raise Rejected("unknown")
@decide.register
def _(command: Open, state): return Opened(command.id)
@decide.register
def _(command: Pay, state): return Paid(command.id, command.amount)
def evolve(state, event):
    match event:
        case Paid(amount=a): return replace(state, balance=state.balance + a)
    return state
@dataclass(frozen=True)
class Money:
    balance: int = 0
Account = Decider("Account", Money(), decide, evolve)
@policy
def bonus(event: Opened): return Pay(event.id, 1)
""",
}
