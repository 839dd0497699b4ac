"""The graph of causes, for networkx."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from calamity_lab.kernel.arguments import a_list
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.trace.trace import Trace
from calamity_lab.views.tables import causes, causes_of_events

if TYPE_CHECKING:
    from networkx import MultiDiGraph


def to_networkx(source: Trace | Iterable[RecordedEvent], cursor: int | None = None) -> MultiDiGraph[str]:
    """The graph of causes, a ``networkx.MultiDiGraph``, of a trace up to the cursor or of recorded events.

    Nodes are commands by command id (``kind="command"``, ``type``, ``origin`` submitted or sent, ``sender``,
    ``outcome``) and events by event id (``kind="event"``, ``type``, ``stream_id``, ``stream_version``,
    ``position``). Edges have a ``relation``: a command *caused* an event, an event *emitted* a command,
    through the ``process_manager`` that the edge names. Events without their trace have no edges of the
    second kind. In a history of another store an event may have *caused* an event.
    """
    if type(source) is Trace:
        return causes(source, cursor).to_networkx()
    listed = a_list("to_networkx(source)", source, "lab.trace, or lab.history", of=RecordedEvent)
    return causes_of_events(listed).to_networkx()
