"""The sequence diagram as a scene: paths and texts in pixels, once for still pictures and figures.

The browser lays out its rows by the same lengths, but in columns as wide as its panel (see decision 110).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

from calamity_lab.views.looks import DRAWN_AS, LOOKS, REACTIONS, Look
from calamity_lab.views.scenes import text_width
from calamity_lab.views.sequence import AT_PROCESS_MANAGER, TIME_PASSED, Message, Participant

ROW, NOTE, GAP = 30, 24, 8
"""The height of a message and of its note, and the room that is left before a command."""
HEAD, FOOT = 46, 10
"""The room for the participants above, and for their lines below the last message."""

_COMMANDS = frozenset({"command", "pending"})
_LOST = frozenset({"rejected", "conflict"})
_DASHED = frozenset({*REACTIONS, *_LOST, "caught up", "pending"})
_EMPTY = frozenset({"decided", "pending", "ignored"})


class Shape(NamedTuple):
    """A path of SVG from where it is put, with the names of its colours; those that are "" are not drawn."""

    path: str
    x: float = 0.0
    y: float = 0.0
    stroke: str = ""
    fill: str = ""
    width: float = 1.4
    dash: str = ""
    is_mirrored: bool = False


class Words(NamedTuple):
    """A text on a line at ``y``, cut to its room; ``behind`` is the colour that hides the lines behind it."""

    x: float
    y: float
    text: str
    room: float
    colour: str = "ink"
    behind: str = "paper"
    size: float = 12.0
    anchor: Literal["start", "middle", "end"] = "middle"
    is_bold: bool = False


class SequenceScene(NamedTuple):
    """A whole diagram; what comes later is drawn over what comes before."""

    width: float
    height: float
    drawn: tuple[Shape | Words, ...]


def height_of(message: Message, row: float = ROW) -> float:
    """The height of a message with its note, and with the room before it."""
    return row + (GAP if message.kind in _COMMANDS else 0) + (NOTE if message.note else 0)


def sequence_scene(
    participants: Sequence[Participant], messages: Sequence[Message], column: float, row: float = ROW
) -> SequenceScene:
    """The scene of messages in order: so many pixels across for each participant, and down for each row."""
    width = column * len(participants)
    heights = [height_of(message, row) for message in messages]
    ends = list(accumulate(heights, initial=float(HEAD)))
    height = ends[-1] + FOOT
    drawn: list[Shape | Words] = []
    for message, end, high in zip(messages, ends[1:], heights, strict=True):
        if message.tense == "now":
            band = high - (GAP if message.kind in _COMMANDS else 0)
            drawn.append(Shape(f"M0 0H{width:g}v{band:g}H0z", 0, end - band, fill="accent-soft"))
    for place, participant in enumerate(participants):
        drawn += _participant(participant, (place + 0.5) * column, column, height)
    for message, end in zip(messages, ends[1:], strict=True):
        top = end - (NOTE if message.note else 0) - ROW
        drawn += _message(message, top, column, width)
    drawn += [
        Shape(f"M0 0H{width:g}", 0, end + 1, "ink-soft", width=1.2, dash="6 4")
        for end, (before, after) in zip(ends[1:], pairwise(messages), strict=False)
        if before.tense != "future" and after.tense == "future"
    ]
    return SequenceScene(width, height, tuple(drawn))


def _participant(participant: Participant, x: float, column: float, height: float) -> Iterator[Shape | Words]:
    """A sign, the name below it, and a line as long as the diagram."""
    yield Shape(f"M0 0V{height - HEAD + 2:g}", x, HEAD - 2, "later", width=0.8, dash="2 4")
    look = LOOKS[participant.kind]
    yield Shape(look.shape, x, 9, look.colour, look.soft)
    own = participant.name.removeprefix(f"{participant.category}-")
    if own == participant.name:
        yield Words(x, 32, own, column - 6)
    else:
        yield Words(x, 27, participant.category, column - 6, size=10)
        yield Words(x, 39, own, column - 6)


class _Outline(NamedTuple):
    """What a message is drawn as: its line, the head of what arrives, where its sign is, and its text."""

    line: str
    head: str
    sign: tuple[float, float]
    words: Words


def _message(message: Message, y: float, column: float, width: float) -> Iterator[Shape | Words]:
    kind, is_later, is_now = message.kind, message.tense == "future", message.tense == "now"
    if kind == TIME_PASSED:
        yield from _divider(message, y + ROW / 2, width)
        return
    look = LOOKS[DRAWN_AS.get(kind, kind)]
    colour = "later" if is_later else "conflict" if kind == "conflict" else look.colour
    start, end = ((place + 0.5) * column for place in (message.source, message.target))
    line, head, sign, words = (
        _round(message, start, y, width) if start == end else _across(message, start, end, y, width)
    )
    # Below the signs, since its background hides what is there.
    yield words._replace(
        colour="ink-soft" if is_later or kind == "more" else "ink",
        behind="accent-soft" if is_now else "paper",
        is_bold=is_now,
    )
    if kind != "more":
        yield Shape(line, stroke=colour, dash="4 3" if kind in _DASHED else "")
        if kind not in _LOST:
            yield Shape(head, stroke=colour, fill=colour, width=0.5)
    if kind not in {"more", "caught up"}:
        fill = "" if look.fill == "none" else "paper" if is_later or kind in _EMPTY else colour
        is_mirrored = kind in _COMMANDS and end < start
        yield Shape(look.shape, *sign, colour, fill, 1.2 if fill else 2.2, is_mirrored=is_mirrored)
    if message.note:
        beside, look = (message.noted + 0.5) * column, _noted_as(kind)
        colour = colour if is_later or kind == "conflict" else look.colour
        yield from _note(message.note, beside, y + ROW, width, colour, "paper" if is_later else look.soft)


def _noted_as(kind: str) -> Look:
    """How the note of a message is drawn: as deadlines for a reaction, else as the message."""
    return LOOKS["deadline" if kind in AT_PROCESS_MANAGER else DRAWN_AS.get(kind, kind)]


def _divider(message: Message, y: float, width: float) -> Iterator[Shape | Words]:
    """A line across the whole diagram where time passed, with a gap for its sign and its text."""
    look, is_later = LOOKS[message.kind], message.tense == "future"
    colour = "later" if is_later else look.colour
    room = width - 48
    middle, aside = width / 2, min(text_width(message.label, 12), room) / 2
    line = f"M0 {y:g}H{middle - aside - 22:g}M{middle + aside + 6:g} {y:g}H{width:g}"
    yield Shape(line, stroke=colour, width=1.2)
    yield Words(
        middle, y + 4, message.label, room, "ink-soft" if is_later else look.colour,
        "accent-soft" if message.tense == "now" else "paper", is_bold=message.tense == "now",
    )  # fmt: skip
    yield Shape(look.shape, middle - aside - 12, y, colour, "paper" if is_later else look.soft, 1.2)


def _across(message: Message, start: float, end: float, y: float, width: float) -> _Outline:
    """A line to another participant, with its text above the middle."""
    at, way, middle = y + 21, 1 if end > start else -1, (start + end) / 2
    is_lost = message.kind in _LOST
    is_at_end = is_lost or message.kind in REACTIONS
    tip = end - way * (7 if is_at_end else 1)
    line = f"M{start if is_at_end else start + way * 7:g} {at:g}H{tip if is_lost else tip - way * 4:g}"
    words = Words(middle, at - 7, message.label, 2 * min(middle, width - middle) - 12)
    return _Outline(line, f"M{tip:g} {at:g}l{-7.5 * way:g}-4v8z", (end if is_at_end else start, at), words)


def _round(message: Message, x: float, y: float, width: float) -> _Outline:
    """A loop and its text, on the side where there is more room."""
    side, near = (-1, x) if x > width / 2 else (1, width - x)
    away = 10 if message.kind == "more" else 32
    line = f"M{x + side * 6:g} {y + 14:g}h{side * 18}v12h{side * -10}"
    head = f"M{x + side * 6:g} {y + 26:g}l{side * 7.5:g}-4v8z"
    words = Words(
        x + side * away, y + 20, message.label, near - away - 6, anchor="end" if side < 0 else "start"
    )
    return _Outline(line, head, (x, y + 14), words)


def _note(text: str, x: float, y: float, width: float, colour: str, behind: str) -> Iterator[Shape | Words]:
    """A sheet with a folded corner below a message."""
    wide = min(text_width(text, 12) + 16, width - 12)
    left = min(max(x - wide / 2, 6), width - wide - 6)
    yield Shape(f"M0 0H{wide - 6:g}L{wide:g} 6V18H0z", left, y, colour, behind, 1)
    yield Words(left + wide / 2, y + 13, text, wide - 14, behind=behind, size=11.5)
