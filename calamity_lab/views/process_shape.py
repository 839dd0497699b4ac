"""The process graph without what happens on it: who may send what to whom, by type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from calamity_lab.model import Model
from calamity_lab.probe.possible import Possible, possible
from calamity_lab.views.counters import EdgeKey
from calamity_lab.views.counters import node as key_of
from calamity_lab.views.layout import RANKS

Kind = Literal["command", "event", "process manager", "aggregate"]


class GraphShape(NamedTuple):
    """A graph without what happens on it."""

    nodes: tuple[tuple[str, Kind, str], ...]
    edges: tuple[EdgeKey, ...]


def shape_of(model: Model, manager: str, observed: frozenset[EdgeKey]) -> GraphShape:
    """What is possible, and what the branch observed, be it behind the cursor: so nothing jumps at a step."""
    edges = _edges(possible(model)) | {key for key in observed if key[2] != "leads to"}
    if manager:
        leads = {(key_of("command", c), key_of("event", e)) for c, e in possible(model).leads}
        leads |= {(source, target) for source, target, label in observed if label == "leads to"}
        kept = _around(key_of("process manager", manager), edges, leads)
        edges = {edge for edge in edges if edge[0] in kept and edge[1] in kept}
    order = _order(model)
    keys = {key for source, target, _ in edges for key in (source, target)}
    nodes = [(key, *_kind_and_name(key)) for key in keys]
    nodes.sort(key=lambda node: (RANKS[node[1]], order.get(node[0], len(order)), node[2]))
    place = {node[0]: n for n, node in enumerate(nodes)}
    return GraphShape(tuple(nodes), tuple(sorted(edges, key=lambda e: (place[e[0]], place[e[1]], e[2]))))


def _edges(found: Possible) -> set[EdgeKey]:
    def keys(pairs: Iterable[tuple[str, str]], source: Kind, target: Kind, label: str) -> set[EdgeKey]:
        return {(key_of(source, a), key_of(target, b), label) for a, b in pairs}

    reactions = {
        (key_of("event", event), key_of("process manager", manager), verb)
        for event, manager, verb in found.reactions
    }
    return (
        keys(found.targets, "command", "aggregate", "to")
        | keys(found.decides, "aggregate", "event", "records")
        | keys(found.sends, "process manager", "command", "sends")
        | keys(found.answers, "process manager", "command", "if refused")
        | reactions
    )


def _around(manager: str, edges: set[EdgeKey], leads: set[tuple[str, str]]) -> set[str]:
    """The manager, what it listens to and what it sends, what leads to that, and the aggregates between."""
    events = {source for source, target, _ in edges if target == manager}
    commands = {target for source, target, _ in edges if source == manager}
    commands |= {command for command, event in leads if event in events}
    aggregates = {target for source, target, label in edges if label == "to" and source in commands}
    aggregates |= {source for source, target, label in edges if label == "records" and target in events}
    return {manager} | events | commands | aggregates


def _order(model: Model) -> dict[str, int]:
    groups: tuple[tuple[Kind, tuple[type, ...]], ...] = (
        ("command", model.commands),
        ("aggregate", model.aggregates),
        ("event", model.events),
        ("process manager", model.process_managers),
    )
    keys = [key_of(kind, cls.__name__) for kind, classes in groups for cls in classes]
    return {key: n for n, key in enumerate(keys)}


_KINDS: dict[str, Kind] = {
    "command": "command",
    "aggregate": "aggregate",
    "event": "event",
    "process manager": "process manager",
}


def _kind_and_name(key: str) -> tuple[Kind, str]:
    kind, _, name = key.partition(":")
    return _KINDS[kind], name
