"""Who caused what: the sequence diagram as matplotlib axes, and all causes as a networkx graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from calamity_lab.figures.style import (
    AS_TEXT,
    Theme,
    axes_for,
    fitted,
    hue,
    legend_of,
    paint,
    plots,
    say_instead,
    size_in_points,
)
from calamity_lab.kernel.arguments import a_list
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.text import plural
from calamity_lab.trace.trace import Trace
from calamity_lab.views.looks import DRAWN_AS
from calamity_lab.views.sequence import AT_PROCESS_MANAGER, Message, SequenceView
from calamity_lab.views.sequence_scene import FOOT, HEAD, ROW, height_of, sequence_scene
from calamity_lab.views.tables import causes, causes_of_events

if TYPE_CHECKING:
    from networkx import MultiDiGraph

_USUAL, _LEAST = 0.625, 0.42
"""The length of a pixel of the scene in points: if there is room, and the least (letters of 5 points)."""
_TIGHT = 23
"""The least height of a message, in pixels of the scene."""
_WIDE = 167
"""The width of a participant's column in a new figure, in pixels of the scene."""
_BELOW = 14
"""The room for what is left out, in pixels of the scene."""


@plots(SequenceView, "the value of sequence(trace, cursor)")
def plot_sequence(view: SequenceView, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
    """Draw who sent what to whom: a line down for each participant, an arrow across for each message.

    What is past at the cursor is in colour, the rest is grey; a dashed line parts them. Where there is no
    room for all messages, those around the present one are drawn.
    """
    columns = max(len(view.participants), 1)
    whole = HEAD + sum(map(height_of, view.messages)) + FOOT + _BELOW
    size = max(columns * _WIDE * _USUAL / 72, 3.2), min(whole * _USUAL / 72 + 0.6, 40.0)
    ax = axes_for("plot_sequence", ax, size)
    ax.set_axis_off()
    if not view.messages:
        say_instead(ax, "nothing has happened yet")
        return ax
    legend_of(ax, _kinds(view), gap=4)
    wide, high = size_in_points(ax)
    count = len(view.messages)
    # First the messages move together, then everything gets smaller.
    scale = max(min(_USUAL, high / (whole - count * (ROW - _TIGHT))), _LEAST)
    row = max(min(ROW + (high / scale - whole) / count, ROW), _TIGHT)
    messages = _with_room(view, row, high / scale - HEAD - FOOT - _BELOW)
    scene = sequence_scene(view.participants, messages, wide / scale / columns, row)
    ax.set_xlim(0, scene.width)
    ax.set_ylim(high / scale, 0)
    paint(ax, scene.drawn, scale)
    _note_left_out(ax, view, len(messages), scale)
    return ax


def _with_room(view: SequenceView, row: float, room: float) -> Sequence[Message]:
    """The messages around the present one for which there is room, so that all can be read."""
    past = sum(message.tense != "future" for message in view.messages)
    first = last = min(max(past - 1, 0), len(view.messages) - 1)
    taken = 0.0
    while first > 0 or last < len(view.messages):
        # Turn by turn what is before and what is after, so that the present one stays in the middle.
        before = first > 0 and (last == len(view.messages) or past - first <= last - past)
        following = view.messages[first - 1 if before else last]
        taken += height_of(following, row)
        if taken > room + 0.1 and first < last:
            break
        first, last = (first - 1, last) if before else (first, last + 1)
    return view.messages[first:last]


def _note_left_out(ax: Axes, view: SequenceView, drawn: int, scale: float) -> None:
    messages, commands = len(view.messages) - drawn, view.total - view.commands
    texts = [f"{messages:,} of {plural(len(view.messages), 'message')}"] if messages else []
    texts += [f"{commands:,} of {plural(view.total, 'command')}"] if commands else []
    if texts:
        ax.annotate(
            fitted(f"left out: {', '.join(texts)}", 6, ax.get_xlim()[1] * scale), (1, 0), (0, 2),
            xycoords="axes fraction", textcoords="offset points", ha="right", va="bottom",
            fontsize=6, color=hue("ink-soft"), **AS_TEXT,
        )  # fmt: skip


def _kinds(view: SequenceView) -> set[str]:
    """What the legend explains."""
    kinds = {DRAWN_AS.get(message.kind, message.kind) for message in view.messages if message.kind != "more"}
    if any(message.note and message.kind in AT_PROCESS_MANAGER for message in view.messages):
        kinds.add("deadline")
    return kinds


def to_networkx(source: Trace | Iterable[RecordedEvent], cursor: int | None = None) -> MultiDiGraph[str]:
    """The graph of causes, a ``networkx.MultiDiGraph``, of a trace up to the cursor or of recorded events.

    Nodes are commands by command id (``kind="command"``, ``type``, ``origin`` submitted or sent, ``sender``,
    ``outcome``) and events by event id (``kind="event"``, ``type``, ``stream_id``, ``stream_version``,
    ``position``). Edges have a ``relation``: a command *caused* an event, an event *emitted* a command,
    through the ``process_manager`` that the edge names. If this set the command as a *deadline*, the relation
    says so, and ``delay`` is how many seconds after the event it is due; the command has the name,
    ``deadline``, and ``due_at``. Events without their trace have no edges of these kinds. In a history of
    another store an event may have *caused* an event.
    """
    if type(source) is Trace:
        return causes(source, cursor).to_networkx()
    listed = a_list("to_networkx(source)", source, "lab.trace, or lab.history", of=RecordedEvent)
    return causes_of_events(listed).to_networkx()
