"""Which instance the process graph shows: the one picked out of the run, or one chosen there since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calamity_lab.kernel.steps import AtProcessManager
from calamity_lab.model import Model
from calamity_lab.trace.selection import Selection
from calamity_lab.trace.trace import Trace


def shown_instance(trace: Trace, model: Model, picked: Selection, look: Mapping[str, Any]) -> dict[str, Any]:
    """How to look at the process graph.

    ``look`` is what a person chose there; its ``passed`` is what was picked out at that time, and gives way.
    """
    chosen = {name: value for name, value in look.items() if name != "passed"}
    stream_id = _instance(trace, picked)
    category = (stream_id or "").partition("-")[0]
    if stream_id is None or stream_id == look.get("passed") or not _knows(model, category):
        return chosen
    return {"manager": category, "instance": stream_id}


def _instance(trace: Trace, picked: Selection) -> str | None:
    """The stream id of the instance that was picked out, by its lane or by one of its steps."""
    if picked.moment is not None and 0 < picked.moment <= trace.last:
        step = trace[picked.moment].step
        return step.identity.stream_id if isinstance(step, AtProcessManager) else None
    place = None if picked.stream_id is None else trace.index.places.get(picked.stream_id)
    return picked.stream_id if place is not None and trace.index.lanes[place].is_manager else None


def _knows(model: Model, category: str) -> bool:
    return any(cls.__name__ == category for cls in model.process_managers)
