"""How every instance stands at each moment of a page; those are asked again to whom something happened."""

from __future__ import annotations

from collections.abc import Iterator

from calamity_lab.model import Model
from calamity_lab.trace.inputs import Dropped
from calamity_lab.trace.trace import Trace
from calamity_lab.views.instances import Instance
from calamity_lab.views.process_graph import ProcessGraph, instance_standing
from calamity_lab.views.standing import InstanceStanding


class Standings:
    """Which instances of the listed ones have to be asked at a moment, given those that were asked before.

    An instance stands as it did while nothing happens in the cascades that it took part in, and nobody takes
    a command off the agenda.
    """

    def __init__(self, trace: Trace, model: Model) -> None:
        self._trace = trace
        self._model = model
        self._asked: dict[int, int] = {}
        self._taking_part: dict[str, set[int]] = {}
        self._touched: dict[int, int] = {}
        self._upto = 0
        self._dropped = {entry.at for entry in trace.branch.inputs if isinstance(entry, Dropped)}

    def changed(self, graph: ProcessGraph) -> Iterator[tuple[str, InstanceStanding]]:
        """The part and the standing of each listed instance that may stand otherwise than it was told."""
        self._follow(graph.cursor)
        for instance in graph.instances:
            asked = self._asked.get(instance.lane, -1)
            if asked < 0 or self._touched.get(instance.lane, 0) > asked:
                self._asked[instance.lane] = graph.cursor
                yield f"standing {instance.lane}", self._standing(graph, instance)

    def _standing(self, graph: ProcessGraph, instance: Instance) -> InstanceStanding:
        if instance.id == graph.chosen:
            return InstanceStanding(graph.marks, graph.told, graph.since, graph.then, graph.overdue)
        return instance_standing(self._trace, graph.cursor, self._model, graph.manager, instance)

    def _follow(self, moment: int) -> None:
        """Note who was touched by the steps up to a moment."""
        places = self._trace.index.places
        for at in range(self._upto + 1, moment + 1):
            step = self._trace[at].step
            if step is None:
                continue
            there = self._taking_part.setdefault(step.pending.correlation_id, set())
            for identity in (step.pending.sender, getattr(step, "identity", None)):
                if identity is not None and identity.stream_id in places:
                    there.add(places[identity.stream_id])
            touched = list(self._touched) if at in self._dropped else ()
            self._touched.update(dict.fromkeys([*touched, *there], at))
        self._upto = max(self._upto, moment)
