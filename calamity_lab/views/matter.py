"""Which views a run has matter for: the others would be empty, and stay out of the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calamity_lab.model import Model
from calamity_lab.trace.trace import Trace


def has_matter(view: str, trace: Trace, model: Model) -> bool:
    """Whether a view by this name has anything to show at any moment of the branch, whatever the cursor."""
    holds = _NEEDS.get(view)
    return holds is None or holds(trace, model)


def _has_cascades(trace: Trace, _model: Model) -> bool:
    """A command was dispatched, is in progress from before, or left events in the history."""
    index = trace.index
    return bool(index.dispatched or index.events) or trace[0].run.progress is not None


_NEEDS: Mapping[str, Callable[[Trace, Model], bool]] = {
    "process_graph": lambda _trace, model: bool(model.process_managers),
    "sequence": _has_cascades,
    "events": lambda trace, _model: bool(trace.index.events),
}
