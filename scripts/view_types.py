"""Print the values that views give to the front end as TypeScript types, for the checker of its JavaScript.

The dataclasses of the views are the one source of these types.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from calamity_lab.views.agenda import AgendaView
from calamity_lab.views.branches import BranchTree
from calamity_lab.views.chart import LaneRow, Mark
from calamity_lab.views.comparison import ComparisonView
from calamity_lab.views.controls import ControlsView
from calamity_lab.views.details import Details, StopsView
from calamity_lab.views.exploring import ExploringView
from calamity_lab.views.log import LogView
from calamity_lab.views.process_graph import ProcessGraphView
from calamity_lab.views.search import HitText, SearchResults
from calamity_lab.views.selected import Selected
from calamity_lab.views.sequence import SequenceView
from calamity_lab.views.state import StateView
from calamity_lab.widgets.contents import Fact, FormView, Pointed, Tabs

PARTS: Mapping[str, type] = {
    "controls": ControlsView,
    "branches": BranchTree,
    "fact": Fact,
    "tabs": Tabs,
    "pointed": Pointed,
    "agenda": AgendaView,
    "form": FormView,
    "state": StateView,
    "selected": Selected,
    "details": Details,
    "stops": StopsView,
    "log": LogView,
    "comparison": ComparisonView,
    "exploring": ExploringView,
    "search": SearchResults,
    "process_graph": ProcessGraphView,
    "sequence": SequenceView,
}
"""The view of each part of a widget; the chart comes as columns."""

OTHERS = (LaneRow, HitText)
MARK = "export type Mark = `event ${number}` | `step ${number}` | `change ${number}` | `deadline ${number}`;"

_PLAIN = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    NoneType: "null",
    Any: "any",
    Mark: "Mark",
}


def declarations() -> str:
    """The types of the parts, of all that they hold, and ``Values``: the parts that a widget has."""
    waiting, declared = [*PARTS.values(), *OTHERS], dict[type, str]()
    while waiting:
        cls = waiting.pop(0)
        if cls not in declared:
            declared[cls] = "".join(
                f"  {name}: {_type(hint)};\n" for name, hint in get_type_hints(cls).items()
            )
            waiting += [found for hint in get_type_hints(cls).values() for found in _classes(hint)]
    values = "".join(f"  {part}?: {cls.__name__};\n" for part, cls in PARTS.items())
    named = {"Values": f"{values}  chart?: any;\n", **{cls.__name__: body for cls, body in declared.items()}}
    assert len(named) == len(declared) + 1, "two dataclasses have one name"
    return "\n".join([MARK, *(f"export interface {name} {{\n{body}}}" for name, body in named.items())])


def _type(hint: Any) -> str:
    """A type as TypeScript writes it, of a value as JSON has it."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is Literal:
        return " | ".join(json.dumps(value) for value in inner)
    if origin in (Union, UnionType):
        return " | ".join(map(_type, inner))
    if origin is tuple and inner[1:] == (...,):
        return f"({_type(inner[0])})[]"
    if origin is tuple:
        return f"[{', '.join(map(_type, inner))}]"
    if origin is not None and issubclass(origin, Mapping):
        return f"Record<{', '.join(map(_type, inner))}>"
    if isinstance(hint, type) and is_dataclass(hint):
        return hint.__name__
    raise TypeError(f"the front end has no type for {hint}")


def _classes(hint: Any) -> Iterator[type]:
    """The dataclasses in a type."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for inner in get_args(hint):
        yield from _classes(inner)


if __name__ == "__main__":
    print(declarations())
