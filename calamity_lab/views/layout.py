"""Where the nodes of a graph stand: in layers from left to right, with few crossings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

RANKS: Mapping[str, int] = {"command": 0, "aggregate": 1, "event": 2, "process manager": 3}
"""No node stands left of its kind's rank: commands, what decides them, what happened, who answers."""

_SWEEPS = 6

Place = tuple[float, float]
Arrow = tuple[str, str]


@lru_cache(maxsize=64)
def layout(nodes: tuple[tuple[str, str], ...], arrows: tuple[Arrow, ...]) -> dict[str, Place]:
    """The place of each node, between 0 and 1, given keys with kinds, and arrows between keys.

    The same graph is always laid out the same. Where arrows go round in a circle, those back to a command
    are drawn backwards: the layers are in order without them.
    """
    layers = _ordered(_layers(nodes, arrows), arrows)
    return {
        key: ((x + 0.5) / len(layers), (y + 0.5) / len(layer))
        for x, layer in enumerate(layers)
        for y, key in enumerate(layer)
    }


def _layers(nodes: Sequence[tuple[str, str]], arrows: Sequence[Arrow]) -> list[list[str]]:
    """The nodes by layer: each right of all that leads to it, but for the arrows that close a circle."""
    import networkx as nx

    kinds, order = dict(nodes), {key: n for n, (key, _) in enumerate(nodes)}
    graph = nx.DiGraph()
    graph.add_nodes_from(order)
    graph.add_edges_from(arrows)
    component = nx.condensation(graph).graph["mapping"]
    graph.remove_edges_from(
        [(a, b) for a, b in arrows if component[a] == component[b] and RANKS[kinds[a]] >= RANKS[kinds[b]]]
    )
    depth: dict[str, int] = {}
    for generation in nx.topological_generations(graph):
        for key in generation:
            before = (depth[other] + 1 for other in graph.predecessors(key))
            depth[key] = max([RANKS[kinds[key]], *before])
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for key in order:
        layers[depth[key]].append(key)
    return [layer for layer in layers if layer]


def _ordered(layers: list[list[str]], arrows: Sequence[Arrow]) -> list[list[str]]:
    """Each layer in order of the mean place of its neighbours, swept there and back a few times."""
    near: dict[str, list[str]] = {key: [] for layer in layers for key in layer}
    for source, target in arrows:
        near[source].append(target)
        near[target].append(source)
    place = {key: (n + 0.5) / len(layer) for layer in layers for n, key in enumerate(layer)}
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            mean = {key: _mean([place[other] for other in near[key]], place[key]) for key in layer}
            layer.sort(key=lambda key: (round(mean[key], 9), place[key]))
            place |= {key: (n + 0.5) / len(layer) for n, key in enumerate(layer)}
    return layers


def _mean(places: list[float], own: float) -> float:
    return sum(places) / len(places) if places else own
