"""What is almost right in a model is named, with what to write; a model that is right has no such advice."""

# ruff: noqa: E501 - lines of models and of messages

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import pytest

from calamity_lab import Lab, examples
from calamity_lab.errors import InvalidModel
from calamity_lab.model import Model
from calamity_lab.probe.near_misses import near_misses
from calamity_lab.probe.preview import preview
from calamity_lab.testing import models
from tests.kernel import elixir, told

ROOT = Path(__file__).resolve().parents[2]

SOURCE = """
from dataclasses import dataclass, replace
from calamity_lab import Continue, Rejected, Start, Stop, command

@dataclass(frozen=True)
class Booked:
    room_id: str
    guest: str

@dataclass(frozen=True)
class BookingCancelled:
    room_id: str

@command(to="Room", by="room_id")
@dataclass(frozen=True)
class Book:
    room_id: str
    guest: str

@command(to="Room", by="room_id")
@dataclass(frozen=True)
class CancelBooking:
    room_id: str

@dataclass(frozen=True)
class Room:
    room_id: str
    guest: str = ""

    @classmethod
    def new(cls, room_id):
        return cls(room_id)

    def execute(self, command):
        match command:
            case Book() if self.guest:
                raise Rejected("the room is taken")
            case Book(guest=guest):
                return Booked(self.room_id, guest)
            case CancelBooking():
                return [BookingCancelled(self.room_id)]

    def apply(self, event):
        match event:
            case Booked(guest=guest):
                return replace(self, guest=guest)
            case BookingCancelled():
                return replace(self, guest="")

@dataclass(frozen=True)
class Waiting:
    room_id: str

    @classmethod
    def interested(cls, event):
        match event:
            case Booked():
                return Start(event.room_id)
            case BookingCancelled():
                return Stop(event.room_id)

    @classmethod
    def new(cls, room_id):
        return cls(room_id)

    def apply(self, event):
        return self

    def handle(self, event):
        match event:
            case Booked():
                return None
"""


@pytest.fixture
def found(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The near misses of the model in a file, which is the source above with some texts replaced."""

    def of(*changes: tuple[str, str]) -> tuple[str, ...]:
        source = SOURCE
        for old, new in changes:
            assert old in source, old
            source = source.replace(old, new)
        path = tmp_path / "rooms.py"
        path.write_text(source, encoding="utf-8")
        module = ModuleType("rooms")
        monkeypatch.setitem(sys.modules, "rooms", module)
        exec(compile(source, str(path), "exec"), vars(module))
        return near_misses(Model.find(module))

    return of


def test_a_model_that_is_right_has_none(found: Any) -> None:
    assert found() == ()


CANCELLED = """            case CancelBooking():
                return [BookingCancelled(self.room_id)]
"""
MISSES = {
    "an aggregate without execute": (
        [("def execute(", "def excute(")],
        "Room looks like an aggregate but has no execute: rename excute to execute",
    ),
    "an aggregate without apply": (
        [("def apply(self, event):\n        match", "def evolve(self, event):\n        match")],
        "Room looks like an aggregate but has no apply: add `def apply(self, event)`",
    ),
    "an aggregate without new": (
        [
            (
                "def new(cls, room_id):\n        return cls(room_id)\n\n    def ex",
                "def create(cls):\n        return 1\n\n    def ex",
            )
        ],
        "Room has no new, which an aggregate needs: add `@classmethod def new(cls, id)`",
    ),
    "a process manager without interested": (
        [("def interested(", "def is_interested(")],
        "Waiting has handle but no interested: rename is_interested to interested",
    ),
    "a process manager without handle": (
        [("def handle(self", "def react(self")],
        "Waiting has interested but no handle: add `def handle(self, event)`",
    ),
    "a process manager without apply": (
        [("    def apply(self, event):\n        return self\n", "")],
        "Waiting has no apply, which a process manager needs: add `def apply(self, event)`",
    ),
    "handle has a case on which interested stops": (
        [
            (
                "            case Booked():\n                return None",
                "            case BookingCancelled():\n                return None",
            )
        ],
        "Waiting.handle has a case for BookingCancelled, but interested stops on it, so it is never called",
    ),
    "handle has a case in which nobody is interested": (
        [
            ("            case BookingCancelled():\n                return Stop(event.room_id)\n", ""),
            (
                "            case Booked():\n                return None",
                "            case BookingCancelled():\n                return None",
            ),
        ],
        "Waiting.handle has a case for BookingCancelled, but interested returns None for it, so it is never called",
    ),
    "execute returns a command": (
        [("return Booked(self", "return Book(self")],
        "Room.execute may return Book, which is a command: return an event",
    ),
    "execute returns a state": (
        [("return Booked(self.room_id, guest)", "return Room(self.room_id, guest)")],
        "Room.execute may return a state, Room: return an event; apply changes the state",
    ),
    "execute returns a rejection": (
        [("raise Rejected", "return Rejected")],
        "Room.execute may return Rejected: write `raise Rejected(...)`",
    ),
    "execute forgets to raise": (
        [("raise Rejected", "Rejected")],
        "Room.execute does not raise its Rejected: write `raise Rejected(...)`",
    ),
    "execute forgets to return": (
        [("return Booked(self", "Booked(self")],
        "Room.execute does not return its Booked: write `return Booked(...)`",
    ),
    "apply forgets to return": (
        [("return replace(self, guest=guest)", "replace(self, guest=guest)")],
        "Room.apply makes a new state and does not return it: write `return replace(self, ...)`",
    ),
    "interested forgets to return": (
        [("return Start(", "Start(")],
        "Waiting.interested does not return its Start: write `return Start(...)`",
    ),
    "execute has no case": (
        [(CANCELLED, "")],
        "Room.execute has no case for CancelBooking, a command of its own",
    ),
    "apply has no case": (
        [('            case BookingCancelled():\n                return replace(self, guest="")\n', "")],
        "Room.apply has no case for BookingCancelled, an event of its own, and returns None for it",
    ),
    "a command to nobody": (
        [
            (
                '@command(to="Room", by="room_id")\n@dataclass(frozen=True)\nclass Book:',
                '@command(to="Roon", by="room_id")\n@dataclass(frozen=True)\nclass Book:',
            )
        ],
        "Book goes to 'Roon', and there is no such aggregate; did you mean to='Room'?",
    ),
    "a command to an event": (
        [
            (
                '@command(to="Room", by="room_id")\n@dataclass(frozen=True)\nclass Book:',
                '@command(to=Booked, by="room_id")\n@dataclass(frozen=True)\nclass Book:',
            )
        ],
        "Book goes to Booked, which has no execute and no apply; known: Room",
    ),
    "a command without decorator": (
        [
            (
                '@command(to="Room", by="room_id")\n@dataclass(frozen=True)\nclass Cancel',
                "@dataclass(frozen=True)\nclass Cancel",
            )
        ],
        'Room.execute has a case for CancelBooking, which is no command: write @command(to="Room", by="room_id") above the class',
    ),
    "async execute": (
        [("def execute(", "async def execute(")],
        "Room.execute is `async def`, and nobody awaits it: write `def execute(self, command)`",
    ),
    "async handle": (
        [("def handle(", "async def handle(")],
        "Waiting.handle is `async def`, and nobody awaits it: write `def handle(self, event)`",
    ),
    "execute yields": (
        [("return Booked(self", "yield Booked(self")],
        "Room.execute has `yield`, which makes it a generator: return a list instead",
    ),
    "new of an instance": (
        [
            (
                "    @classmethod\n    def new(cls, room_id):\n        return cls(room_id)\n\n    def ex",
                "    def new(self, room_id):\n        return 1\n\n    def ex",
            )
        ],
        "Room.new needs @classmethod: write `@classmethod def new(cls, id)`",
    ),
    "interested is static": (
        [("@classmethod\n    def interested", "@staticmethod\n    def interested")],
        "Waiting.interested is a staticmethod that takes cls: write `@classmethod def interested(cls, event)`",
    ),
    "execute takes nothing": (
        [("def execute(self, command):\n", "def execute(self):\n        command = None\n")],
        "Room.execute takes no command; write `def execute(self, command)`, or `def execute(self, command, context)`. Other parameters need a default",
    ),
    "execute is a classmethod": (
        [("def execute(self, command):", "@classmethod\n    def execute(self, command):")],
        "Room.execute is a classmethod, so it does not know the state: write `def execute(self, command)`",
    ),
}


@pytest.mark.parametrize("miss", MISSES)
def test_a_near_miss_is_named_with_what_to_write(found: Any, miss: str) -> None:
    changes, words = MISSES[miss]
    assert words in found(*changes)


EXAMPLES = [found.name for found in walk_packages(examples.__path__, f"{examples.__name__}.")]


@pytest.mark.parametrize("module", [*EXAMPLES, elixir.__name__, models.__name__, told.__name__])
def test_a_model_that_works_has_none(module: str) -> None:
    assert near_misses(Model.find(import_module(module))) == ()


def test_the_tutorials_have_none() -> None:
    notebooks = [path.read_text("utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert [text for text in notebooks if "Ready. Send a command" in text], "they show what %lab found"
    assert not [text for text in notebooks if "please check" in text]


def test_a_command_to_a_class_of_another_module_says_where_it_is_looked_for(found: Any) -> None:
    found(('to="Room"', 'to="Chamber"'))
    room = type("Chamber", (sys.modules["rooms"].Room,), {"__module__": "elsewhere"})
    told = near_misses(Model.of([room, sys.modules["rooms"].Book]))
    assert [
        each
        for each in told
        if "Book goes to 'Chamber', which is looked for in rooms and is not there" in each
    ]


WORKS = {
    "a static new": [
        (
            "    @classmethod\n    def new(cls, room_id):\n        return cls(room_id)\n\n    def ex",
            "    @staticmethod\n    def new(room_id):\n        return Room(room_id)\n\n    def ex",
        )
    ],
    "execute returns None in its own case": [
        (CANCELLED, "            case CancelBooking():\n                return None\n")
    ],
    "an event that changes nothing": [
        (
            '            case BookingCancelled():\n                return replace(self, guest="")\n',
            "        return self\n",
        )
    ],
    "a manager that continues on what it stops on elsewhere": [
        (
            "                return Stop(event.room_id)",
            "                return Stop(event.room_id) if event.room_id else Continue('')",
        ),
        (
            "            case Booked():\n                return None",
            "            case BookingCancelled():\n                return None",
        ),
    ],
    "other parameters": [("def execute(self, command):", "def execute(self, command, context=None):")],
    "a class with an execute of another kind": [
        (
            "@dataclass(frozen=True)\nclass Waiting",
            "class Connection:\n    def execute(self, sql):\n        return 1\n\n@dataclass(frozen=True)\nclass Waiting",
        )
    ],
    "a read model": [
        (
            "@dataclass(frozen=True)\nclass Waiting",
            "class Taken:\n    @classmethod\n    def new(cls):\n        return cls()\n    def apply(self, event, recorded):\n        return self\n\n@dataclass(frozen=True)\nclass Waiting",
        )
    ],
}


@pytest.mark.parametrize("way", WORKS)
def test_what_is_meant_so_is_left_alone(found: Any, way: str) -> None:
    assert found(*WORKS[way]) == ()


def test_a_lab_warns_of_them_and_takes_the_model(found: Any) -> None:
    found((CANCELLED, ""))
    with pytest.warns(UserWarning, match="Room.execute has no case for CancelBooking") as warned:
        lab = Lab(sys.modules["rooms"])
    assert [warning.filename for warning in warned] == [__file__]
    lab.send(sys.modules["rooms"].CancelBooking("1"))
    (pending,) = lab.agenda.pending
    assert (
        preview(lab.trace, lab.cursor, pending).sentence == "no case for CancelBooking: would change nothing"
    )
    assert "no case for CancelBooking: Room.execute returned None, so no event" in repr(lab.step())


def test_a_model_without_an_aggregate_says_which_class_may_be_meant(found: Any) -> None:
    found(("def execute(", "def excute("))
    with pytest.raises(InvalidModel, match="Room looks like an aggregate but has no execute: rename excute"):
        Lab(sys.modules["rooms"])
