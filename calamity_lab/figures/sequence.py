"""The sequence diagram as matplotlib axes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.axes import (
    AS_TEXT,
    axes_for,
    fitted,
    ground,
    legend_below,
    say_instead,
    size_in_points,
    width,
)
from calamity_lab.figures.style import Theme, filling, hue, legend_mark, marker, strong, themed
from calamity_lab.text import plural
from calamity_lab.views.looks import DRAWN_AS, LOOKS, REACTIONS
from calamity_lab.views.sequence import Message, Participant, SequenceView

_LETTERS = 7.5
_NOTE, _GAP = 0.8, 0.3
"""The room that a note takes, and that is left before a command, in rows."""

_ABOVE, _BELOW = 2.1, 0.9
"""The room for the names above, and for what is left out below, in rows."""
_LEAST = 9.6
"""So many points high is a row at least."""

_DASHED = frozenset({*REACTIONS, "rejected", "conflict", "caught up", "pending"})
_AT_END = frozenset({*REACTIONS, "rejected"})


class _Page(NamedTuple):
    """The axes, how many points a data unit is long across and down, and the size of the letters."""

    ax: Axes
    across: float
    down: float
    letters: float
    columns: int


@themed
def plot_sequence(view: SequenceView, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
    """Draw who told whom what: a line down for each participant, an arrow across for each message.

    What is past at the cursor is in colour, the rest is grey; a dashed line parts them.
    """
    if not isinstance(view, SequenceView):
        raise InvalidValue(
            f"plot_sequence({type(view).__name__}): give the value of sequence(trace, cursor), "
            "or call lab.plot_sequence()"
        )
    columns = max(len(view.participants), 1)
    rows = sum(map(_height, view.messages))
    ax = axes_for("plot_sequence", ax, (max(1.45 * columns, 3.2), min(1.5 + 0.27 * rows, 40.0)))
    ax.set_axis_off()
    if not view.messages:
        say_instead(ax, "nothing has happened yet")
        return ax
    _draw_legend(ax, view)
    wide, high = size_in_points(ax)
    messages = _with_room(view, high / _LEAST - _ABOVE - _BELOW)
    ends = list(accumulate(map(_height, messages), initial=0.0))
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(ends[-1] + _BELOW, -_ABOVE)
    down = high / (ends[-1] + _ABOVE + _BELOW)
    page = _Page(ax, wide / columns, down, min(_LETTERS, 0.55 * down), columns)
    for place, participant in enumerate(view.participants):
        _draw_participant(page, participant, place, ends[-1])
    for message, end in zip(messages, ends[1:], strict=True):
        note = _NOTE if message.note else 0.0
        _draw_message(page, message, end - note - 0.25)
        if note:
            _draw_note(page, message, end - 0.45)
    _draw_cursor(page, messages, ends)
    _tell_left_out(page, view, len(messages), ends[-1])
    return ax


def _with_room(view: SequenceView, rows: float) -> Sequence[Message]:
    """The messages around the present one for which there is room, so that all can be read."""
    past = sum(message.tense != "future" for message in view.messages)
    first = last = min(max(past - 1, 0), len(view.messages) - 1)
    taken = 0.0
    while first > 0 or last < len(view.messages):
        # Turn by turn what is before and what is after, so that the present one stays in the middle.
        before = first > 0 and (last == len(view.messages) or past - first <= last - past)
        following = view.messages[first - 1 if before else last]
        taken += _height(following)
        if taken > rows and first < last:
            break
        first, last = (first - 1, last) if before else (first, last + 1)
    return view.messages[first:last]


def _tell_left_out(page: _Page, view: SequenceView, drawn: int, bottom: float) -> None:
    messages, commands = len(view.messages) - drawn, view.total - view.commands
    told = [f"{messages:,} of {plural(len(view.messages), 'message')}"] if messages else []
    told += [f"{commands:,} of {plural(view.total, 'command')}"] if commands else []
    if told:
        size = min(6.0, page.letters)
        page.ax.text(
            page.columns - 0.5, bottom + 0.8 * _BELOW, f"left out: {', '.join(told)}",
            ha="right", va="center",
            fontsize=size, color=hue("ink-soft"), **AS_TEXT,
        )  # fmt: skip


def _height(message: Message) -> float:
    apart = _GAP if message.kind in {"command", "pending"} else 0.0
    return 1.0 + apart + (_NOTE if message.note else 0.0)


def _kind(message: Message) -> str:
    return DRAWN_AS.get(message.kind, message.kind)


def _colour(message: Message) -> str:
    return hue("later") if message.tense == "future" else strong(_kind(message))


def _ink(message: Message) -> Any:
    return hue("later") if message.tense == "future" else rcParams["text.color"]


def _draw_legend(ax: Axes, view: SequenceView) -> None:
    kinds = {_kind(message) for message in view.messages if message.kind != "more"}
    handles = [legend_mark(kind) for kind in LOOKS if kind in kinds]
    if handles:
        legend_below(ax, handles, gap=4)


def _draw_participant(page: _Page, participant: Participant, place: int, bottom: float) -> None:
    """A sign, the name below it, and a line as long as the diagram."""
    ax, later = page.ax, hue("later")
    ax.plot([place, place], [-0.15, bottom], color=later, linewidth=0.6, linestyle=(0, (2, 3)), zorder=1)
    ax.scatter(
        [place], [-1.75], s=70, marker=marker(participant.kind), color=strong(participant.kind),
        linewidths=0.5, zorder=3, clip_on=False,
    )  # fmt: skip
    own = participant.name.removeprefix(f"{participant.category}-")
    lines = [participant.category, own] if own != participant.name else [own]
    room = page.across - 4
    name = "\n".join(fitted(line, page.letters, room) for line in lines)
    ax.text(
        place, -0.3, name, ha="center", va="bottom", fontsize=page.letters, linespacing=1.1,
        color=rcParams["text.color"], **AS_TEXT,
    )  # fmt: skip


def _draw_message(page: _Page, message: Message, y: float) -> None:
    if message.source == message.target:
        _draw_turn(page, message, y)
        return
    start, end = message.source, message.target
    at_end = message.kind in _AT_END
    arrow = FancyArrowPatch(
        (start, y), (end, y), arrowstyle="-" if message.kind in {"rejected", "conflict"} else "-|>",
        mutation_scale=8, shrinkA=0 if at_end else 4, shrinkB=5 if at_end else 0, **_line(message),
    )  # fmt: skip
    page.ax.add_patch(arrow)
    _draw_sign(page, message, end if at_end or message.kind == "conflict" else start, y)
    middle = (start + end) / 2
    room = 2 * min(middle + 0.5, page.columns - 0.5 - middle) * page.across - 4
    _write(page, message, middle, y - 2.5 / page.down, "center", room)


def _draw_turn(page: _Page, message: Message, y: float) -> None:
    """What one tells itself: a loop, and its text on the side where there is more room."""
    x, is_own = float(message.source), message.kind != "more"
    side = -1 if x > (page.columns - 1) / 2 else 1
    if is_own:
        near, far, high = 4 * side / page.across, 15 * side / page.across, 7 / page.down
        corners = [(x + near, y - high), (x + far, y - high), (x + far, y), (x + near, y)]
        loop = FancyArrowPatch(path=Path(corners), arrowstyle="-|>", mutation_scale=8, **_line(message))
        page.ax.add_patch(loop)
        _draw_sign(page, message, x, y - high)
    at = x + side * (19 if is_own else 4) / page.across
    room = (at + 0.5 if side < 0 else page.columns - 0.5 - at) * page.across - 2
    _write(page, message, at, y + 0.5 / page.down, "right" if side < 0 else "left", room)


def _line(message: Message) -> dict[str, Any]:
    dashes = (0, (3, 2)) if message.kind in _DASHED else "-"
    return {"color": _colour(message), "linewidth": 1.1, "linestyle": dashes, "zorder": 2}


def _draw_sign(page: _Page, message: Message, x: float, y: float) -> None:
    if message.kind == "caught up":
        return
    kind, size = _kind(message), min(40.0, (0.5 * page.down) ** 2)
    sign = marker(kind)
    if kind == "command" and message.target < message.source:
        sign = sign.rotated(deg=180)
    drawn = filling(kind, _colour(message), [size**0.5])
    if message.kind in {"decided", "pending"}:
        drawn = {"facecolors": rcParams["axes.facecolor"], "edgecolors": _colour(message), "linewidths": 1.0}
    page.ax.scatter([x], [y], s=size, marker=sign, zorder=3, clip_on=False, **drawn)


def _write(page: _Page, message: Message, x: float, y: float, align: str, room: float) -> None:
    page.ax.text(
        x, y, fitted(message.label, page.letters, room), ha=align, va="bottom", fontsize=page.letters,
        color=_ink(message), zorder=4, fontweight="bold" if message.tense == "now" else "normal",
        bbox=ground(rcParams["axes.facecolor"]), **AS_TEXT,
    )  # fmt: skip


def _draw_note(page: _Page, message: Message, y: float) -> None:
    text = fitted(message.note, page.letters, page.columns * page.across - 14)
    half = (width(text, page.letters) / 2 + 5) / page.across
    x = min(max(float(message.source), half - 0.5), page.columns - 0.5 - half)
    sheet = {
        "facecolor": rcParams["axes.facecolor"],
        "edgecolor": _colour(message),
        "linewidth": 0.8,
        "pad": 2,
    }
    page.ax.text(
        x, y, text, ha="center", va="center", fontsize=page.letters, color=_ink(message), bbox=sheet,
        zorder=4, **AS_TEXT,
    )  # fmt: skip


def _draw_cursor(page: _Page, messages: Sequence[Message], ends: Sequence[float]) -> None:
    """A line between what is past and what is yet to come, where there is both."""
    past = [place for place, message in enumerate(messages, 1) if message.tense != "future"]
    if not past or past[-1] == len(messages):
        return
    y, colour = ends[past[-1]] + 0.08, rcParams["axes.edgecolor"]
    page.ax.axhline(y, color=colour, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
