"""Values whose own methods raise, that contain themselves, or that are far too large: a model may hold them.

Every view, table, figure, file and page shows such a value as a text, or refuses it by a named error.
"""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from calamity_lab.errors import CalamityError, Rejected
from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.kernel.messages import Start, command
from calamity_lab.kernel.protocols import ALL
from calamity_lab.lab import Lab
from calamity_lab.text import format_fields, format_value
from calamity_lab.widgets.page import page
from calamity_lab.widgets.view_widget import ViewWidget
from tests.junk import JUNK, broken
from tests.test_hostile_text import FACES, every_view
from tests.widgets.front_end_stand_in import FrontEnd


@command(to="Shelf", by="id")
@dataclass(frozen=True)
class Put:
    id: str
    item: Any


@dataclass(frozen=True)
class Kept:
    id: str
    item: Any
    note: str = "kept"


@dataclass(frozen=True)
class Shelf:
    id: str
    item: Any = None
    count: int = 0

    @classmethod
    def new(cls, aggregate_id: str) -> Shelf:
        return cls(aggregate_id)

    def execute(self, given: Put) -> Kept:
        if self.count:
            raise Rejected("the shelf is full", item=given.item, held=[self.item])
        return Kept(self.id, given.item)

    def apply(self, event: Kept) -> Shelf:
        return Shelf(self.id, event.item, self.count + 1)


@dataclass(frozen=True)
class Carrier:
    id: str
    item: Any = None

    @classmethod
    def interested(cls, event: object) -> Start | None:
        return Start(event.id) if isinstance(event, Kept) else None

    @classmethod
    def new(cls, instance_id: str) -> Carrier:
        return cls(instance_id)

    def apply(self, event: Kept) -> Carrier:
        return Carrier(self.id, event.item)

    def handle(self, event: Kept) -> Put:
        return Put(event.id, [event.item, {"it": event.item}])

    def handle_rejection(self, rejected: Rejected) -> None:
        return None


class Strange:
    """An object without fields; its repr is that of every object."""

    def __init__(self, held: Any) -> None:
        self.held = held


ODD: Mapping[str, Callable[[], Any]] = {
    **JUNK,
    "200 levels": lambda: _levels(200),
    "an object in an object": lambda: Strange(Strange(broken("__repr__", "__str__")())),
    "a set of objects": lambda: {Strange(1), Strange(2)},
    "a dict of odd keys": lambda: {(1, 2): 3, None: 4, 1.5: 5, frozenset([1]): 6},
    "1 million items": lambda: list(range(1_000_000)),
    "a class that raises": lambda: broken("__repr__", base=type)("Odd", (), {}),
    "a coroutine function": lambda: _levels,
    "bytes in 1 MB": lambda: b"\0" * 1_000_000,
    "a lock": threading.Lock,
    "a proxy": lambda: MappingProxyType({"a": [1]}),
    "a frame": lambda: pd.DataFrame({"a": [1, None]}),
    "a weak reference": lambda: weakref.ref(Strange),
}


# One of each kind: each is shown in some sixty places.
SHOWN = (
    "5,000 digits", "a generator", "an array", "a cyclic list", "a deep list", "deep records",
    "a broken repr", "a repr that is no text", "a broken iterable", "all attributes broken",
    "a broken comparison", "a false class", "a broken mapping", "a broken list", "a broken text",
    "a broken dict", "a broken hash", "broken attributes", "a class that raises", "a module", "an open file",
    "an iterator", "a lock", "a proxy", "a frame", "a set of objects", "a dict of odd keys", "200 levels",
    "1 MB of text", "a surrogate", "an exception", "a weak reference",
)  # fmt: skip


def _levels(count: int) -> Any:
    made: Any = "deepest"
    for n in range(count):
        made = {f"level {n}": made}
    return made


def odd_lab(*names: str, checked: bool = False) -> tuple[Lab, dict[str, CalamityError]]:
    """A lab in which each of these values was sent, and the errors that ended a command."""
    lab = Lab(aggregates=[Shelf], commands=[Put], events=[Kept], process_managers=[Carrier],
              clock=ticking_clock(), checked=checked)  # fmt: skip
    ended = {}
    for n, name in enumerate(names):
        lab.send(Put(f"{n}", ODD[name]()))
        try:
            lab.resume()
        except CalamityError as error:
            ended[name] = error
            lab.abandon() if lab.stepper.is_stuck else lab.drop(0)
    lab.send(Put("last", [ODD[name]() for name in names]))
    return lab, ended


def places(lab: Lab) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Everything that shows or writes a run."""
    for cursor in (0, len(lab.trace) // 2, len(lab.trace) - 1):
        yield f"the views at {cursor}", lambda cursor=cursor: [None for _ in every_view(lab, cursor)]
    for face in FACES:
        yield f"messages of {face}", lambda face=face: _asked(FrontEnd(ViewWidget(lab, face)))
        yield f"still of {face}", lambda face=face: ViewWidget(lab, face).still().encode()
    for name in ("aggregates", "process_managers", "agenda", "events", "steps", "history", "trace"):
        yield f"repr of {name}", lambda name=name: repr(getattr(lab, name)).encode(errors="surrogatepass")
        yield f"repr of all {name}", lambda name=name: repr(list(getattr(lab, name)))
    for name in ("aggregates", "process_managers", "agenda", "events", "steps", "history"):
        yield f"HTML of {name}", lambda name=name: getattr(lab, name)._repr_html_().encode()
    yield "repr of the stack", lambda: repr(lab.stack)
    yield "repr of the run", lambda: repr(lab.run)
    for name in ("history", "aggregates", "process_managers", "steps"):
        table = getattr(lab, name)
        yield f"pandas of {name}", lambda table=table: repr(table.to_pandas())
        yield f"CSV of {name}", lambda table=table: table.to_csv(escape_formulas=True)
        yield f"JSON Lines of {name}", lambda table=table: _read(table.to_json_lines())
        yield f"Parquet of {name}", lambda table=table: table.to_parquet(os.devnull)
    for name in ("timeline", "process_managers", "sequence", "state", "events", "agenda"):
        yield f"plot_{name}", lambda name=name: _drawn(getattr(lab, f"plot_{name}"))
    yield "plot_field", lambda: _drawn(lambda ax: lab.plot_field("Shelf-0", "item", ax=ax))
    yield "networkx", lambda: lab.to_networkx()
    yield "Mermaid", lambda: lab.to_mermaid(correlation=ALL).encode()
    yield "page", lambda: page(lab).encode()


def _read(lines: str) -> list[Any]:
    return [json.loads(line) for line in lines.splitlines()]


def _asked(front_end: FrontEnd) -> None:
    front_end.ask("goto", moment=3)
    for message in front_end.messages:
        json.dumps(message, ensure_ascii=False, allow_nan=False).encode()


def _drawn(plot: Callable[..., Any]) -> None:
    ax = plot(ax=Figure(figsize=(7, 6), layout="constrained").subplots())
    ax.figure.draw_without_rendering()


def faults(lab: Lab) -> list[str]:
    """Where a raw error came of looking at a run."""
    found = []
    for where, look in places(lab):
        try:
            look()
        except CalamityError as error:
            repr(error)
        except Exception as error:  # noqa: BLE001 - a raw error is what the test looks for
            found.append(f"{where}: {type(error).__name__}: {format_value(error, 80)}")
    return found


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_run_that_holds_every_odd_value_is_shown_everywhere(*, checked: bool) -> None:
    lab, ended = odd_lab(*SHOWN, checked=checked)
    assert all(str(error) for error in ended.values())
    assert len(lab.events) > len(SHOWN) / 2
    lab.goto(len(lab.trace) // 2)
    assert not faults(lab)


def test_a_value_whose_repr_raises_is_named_in_a_text() -> None:
    box = broken("__repr__", "__str__")()
    marked = "<Box, whose repr raised Broken>"
    assert format_value(Kept("1", box)) == f"Kept(id='1', item={marked}, note='kept')"
    assert format_fields(Kept("1", [box])) == f"id='1', item=[{marked}], note='kept'"


@pytest.mark.parametrize("name", ODD)
def test_a_value_has_a_text_that_is_cut(name: str) -> None:
    assert 0 < len(format_value(Kept("1", ODD[name]()), 100)) <= 100
