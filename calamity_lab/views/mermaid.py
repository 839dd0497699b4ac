"""The sequence diagram as Mermaid text, to paste into a README.

Any text shows as it is: what Mermaid, or the Markdown and HTML around it, would read as its own is written
as an entity code, as in ``#35;``. The rules are those of https://mermaid.js.org/syntax/sequenceDiagram.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from unicodedata import category

from calamity_lab.text import NOTHING, plural
from calamity_lab.views.looks import REACTIONS
from calamity_lab.views.sequence import TIME_PASSED, Message, Participant, SequenceView

MOST_CHARACTERS = 48_000
"""Mermaid draws no text of more than 50,000 characters."""

_LABEL, _NAME, _NOTE, _LINE = 60, 40, 120, 44
_LETTERS = {"user": "U", "aggregate": "A", "event store": "S", "process manager": "M"}
_DASHED = {"caught up": "-->>", "rejected": "--x", "conflict": "--x"}
_GREY = "rect rgba(128, 128, 128, 0.2)"
_PLAIN = frozenset(" _.,()'/+=?!-")
_JOINERS = "\u200c\u200d"
_BOX = "▯"


def to_mermaid(view: SequenceView) -> str:
    """The diagram as the text of a ``sequenceDiagram``; messages after the cursor are on grey."""
    names = _short_names(view.participants)
    lines = [f"{_keyword(each)} {name} as {escaped(each.name, _NAME)}" for name, each in _cast(view, names)]
    beside = names[0] if names else "U"
    if view.first:
        lines.append(_note(beside, plural(view.first, "earlier command")))
    lines += _drawn(view, names, MOST_CHARACTERS - 500 - sum(map(len, lines)))
    left = view.total - view.first - view.commands
    if left:
        lines.append(_note(beside, plural(left, "more command")))
    if not view.messages:
        lines = ["participant U as User", _note("U", "nothing has happened yet")]
    return "\n".join(["sequenceDiagram", *(f"    {line}" for line in lines)])


def escaped(text: str, length: int = _LABEL) -> str:
    """A text as Mermaid shows it unchanged: on one line, and cut to a length."""
    flat = " ".join(text.split()) or NOTHING
    cut = flat if len(flat) <= length else f"{flat[: length - 1]}…"
    safe = "".join(map(_character, cut))
    # "end" is a keyword of Mermaid anywhere in a line.
    return re.sub(r"(?<!\w)e(?=nd(?!\w))", lambda found: _code(found[0]), safe, flags=re.IGNORECASE)


def _character(each: str) -> str:
    if each.isalnum() or each in _PLAIN or each in _JOINERS:
        return each
    if category(each).startswith("C"):
        return _BOX  # among them those that turn the direction of all that follows
    return _code(each) if each.isascii() else each


def _code(character: str) -> str:
    return f"#{ord(character)};"


def _short_names(participants: Sequence[Participant]) -> list[str]:
    """A name for each participant that is no keyword of Mermaid."""
    seen: Counter[str] = Counter()
    names = []
    for each in participants:
        letter = _LETTERS[each.kind]
        seen[letter] += 1
        is_only = seen[letter] == 1 and letter in "US"
        names.append(letter if is_only else f"{letter}{seen[letter]}")
    return names


def _cast(view: SequenceView, names: Sequence[str]) -> Iterator[tuple[str, Participant]]:
    return zip(names, view.participants, strict=True)


def _keyword(participant: Participant) -> str:
    return "actor" if participant.kind == "user" else "participant"


def _drawn(view: SequenceView, names: Sequence[str], room: int) -> Iterator[str]:
    """One or two statements for each message, as many as fit."""
    is_grey, used = False, 0
    for number, message in enumerate(view.messages):
        statements = _statements(message, names)
        used += sum(len(statement) + 9 for statement in statements)
        if used > room:
            left = plural(len(view.messages) - number, "more message")
            statements = [_note(names[message.noted], left)]
        elif is_grey is not (message.tense == "future"):
            is_grey = not is_grey
            used += len(_GREY) + 9
            yield _GREY if is_grey else "end"
        yield from (f"    {each}" if is_grey else each for each in statements)
        if used > room:
            break
    if is_grey:
        yield "end"


def _statements(message: Message, names: Sequence[str]) -> list[str]:
    source, target = names[message.source], names[message.target]
    if message.kind == TIME_PASSED and source != target:
        source = f"{source},{target}"
    if message.kind in ("more", TIME_PASSED):
        return [_note(source, message.label)]
    usual = "-->>" if message.kind in REACTIONS and source != target else "->>"
    verb = f" ({message.kind})" if message.kind in {"started", "stopped", "ignored"} else ""
    arrow = _DASHED.get(message.kind, usual)
    said = f"{source}{arrow}{target}: {escaped(message.label)}{verb}"
    return [said, _note(names[message.noted], message.note)] if message.note else [said]


def _note(name: str, text: str) -> str:
    flat = " ".join(text.split())
    short = flat if len(flat) <= _NOTE else f"{flat[: _NOTE - 1]}…"
    return f"Note over {name}: {'<br/>'.join(escaped(line) for line in textwrap.wrap(short, _LINE))}"
