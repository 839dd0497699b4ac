"""Where the nodes of a graph stand: in layers from left to right, with few crossings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

RANKS: Mapping[str, int] = {"command": 0, "aggregate": 1, "event": 2, "process manager": 3}
"""No node stands left of its kind's rank: commands, what decides them, what happened, who answers."""

_SWEEPS = 8

Place = tuple[float, float]
Arrow = tuple[str, str]


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
    """The layers in the order with the fewest crossings that a few sweeps find; the first of equal ones.

    A sweep orders each layer by the mean place of its neighbours (Sugiyama, Tagawa, Toda 1981), then lets
    neighbours in a layer change places as long as that saves crossings. Arrows that lead back are drawn
    around everything, so they do not count.
    """
    depth = {key: x for x, layer in enumerate(layers) for key in layer}
    near: dict[str, list[str]] = {key: [] for key in depth}
    for source, target in dict.fromkeys(arrows):
        if depth[source] < depth[target]:
            near[source].append(target)
            near[target].append(source)
    best = _Order(layers, near, depth)
    fewest = best.crossings()
    for downwards in (True, False):
        order = _Order(layers, near, depth)
        for sweep in range(_SWEEPS):
            order.sweep(backwards=sweep % 2 == downwards)
            order.exchange()
            if (count := order.crossings()) < fewest:
                best, fewest = order.copy(), count
    return best.layers


class _Order:
    """Layers whose nodes are being ordered."""

    def __init__(
        self, layers: Sequence[Sequence[str]], near: Mapping[str, list[str]], depth: Mapping[str, int]
    ) -> None:
        self.layers = [list(layer) for layer in layers]
        self._near = near
        self._depth = depth
        self._place = {key: n for layer in self.layers for n, key in enumerate(layer)}

    def copy(self) -> _Order:
        return _Order(self.layers, self._near, self._depth)

    def sweep(self, *, backwards: bool) -> None:
        """Order each layer by the mean place of its neighbours, as a part of their layer's height."""
        for layer in reversed(self.layers) if backwards else self.layers:
            means = {key: self._mean(key) for key in layer}
            layer.sort(key=lambda key: (round(means[key], 9), self._place[key]))
            self._place |= {key: n for n, key in enumerate(layer)}

    def exchange(self) -> None:
        """Let nodes that stand next to each other change places while that saves crossings."""
        for _ in range(_SWEEPS):
            if not any([self._exchanged(layer) for layer in self.layers]):
                return

    def crossings(self) -> int:
        """How many arrows cross, told at the nodes that they leave to the right and to the left."""
        pairs = (
            pair
            for layer in self.layers
            for n, one in enumerate(layer)
            for pair in ((one, o) for o in layer[n + 1 :])
        )
        return sum(self._crossed(one, other) for one, other in pairs)

    def _exchanged(self, layer: list[str]) -> bool:
        saved = False
        for n in range(len(layer) - 1):
            one, other = layer[n], layer[n + 1]
            if self._crossed(other, one) < self._crossed(one, other):
                layer[n], layer[n + 1] = other, one
                self._place[one], self._place[other] = n + 1, n
                saved = True
        return saved

    def _crossed(self, upper: str, lower: str) -> int:
        """How many arrows of two nodes cross, the first standing above the second."""
        place, depth = self._place, self._depth
        return sum(
            place[a] > place[b] for a in self._near[upper] for b in self._near[lower] if depth[a] == depth[b]
        )

    def _mean(self, key: str) -> float:
        near = self._near[key] or [key]
        return sum((self._place[o] + 0.5) / len(self.layers[self._depth[o]]) for o in near) / len(near)
