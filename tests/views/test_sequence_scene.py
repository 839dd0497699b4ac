"""The sequence diagram as paths and texts: each message from column to column, in its colour."""

from __future__ import annotations

import re

import pytest

from calamity_lab.trace.trace import Trace
from calamity_lab.views.looks import DRAWN_AS, LOOKS
from calamity_lab.views.sequence import Message, SequenceView, sequence
from calamity_lab.views.sequence_scene import Shape, Words, height_of, sequence_scene
from tests.frames.histories import bank_day, shop_week
from tests.views.test_waits import waited

COLUMN = 120.0


def drawn(view: SequenceView, message: Message) -> list[Shape | Words]:
    """The parts of one message, without those of the participants."""
    alone, nothing = (sequence_scene(view.participants, some, COLUMN).drawn for some in ([message], []))
    return [
        each for each in alone if each not in nothing and not getattr(each, "path", "").startswith("M0 0")
    ]


def ends(line: str) -> tuple[float, float]:
    """Where a line begins and ends across."""
    found = re.match(r"M([\d.]+) [\d.]+[Hh]([-\d.]+)", line)
    assert found
    return float(found[1]), float(found[2])


@pytest.mark.parametrize(("trace", "cursor"), [(bank_day(), 57), (shop_week(), 27)])
def test_each_message_leads_from_its_sender_to_its_receiver(trace: Trace, cursor: int) -> None:
    view = sequence(trace, cursor)
    for message in view.messages:
        line = next(each for each in drawn(view, message) if isinstance(each, Shape) and each.stroke)
        start, end = ends(line.path)
        assert abs(start - (message.source + 0.5) * COLUMN) < 10, message
        if message.source != message.target:
            assert abs(end - (message.target + 0.5) * COLUMN) < 13, message


def test_a_message_has_the_colour_of_its_kind_and_one_that_is_yet_to_come_is_grey_and_empty() -> None:
    view = sequence(bank_day(), 58)
    for message in view.messages:
        kind = DRAWN_AS.get(message.kind, message.kind)
        sign = next(each for each in drawn(view, message) if getattr(each, "path", "") == LOOKS[kind].shape)
        assert isinstance(sign, Shape)
        assert sign.stroke == ("later" if message.tense == "future" else LOOKS[kind].colour), message
        if message.tense == "future":
            assert sign.fill in {"", "paper"}


def test_a_line_parts_the_past_from_the_future_where_there_are_both() -> None:
    for cursor, many in ((57, 1), (64, 0)):
        view = sequence(bank_day(), cursor)
        scene = sequence_scene(view.participants, view.messages, COLUMN)
        across = f"M0 0H{scene.width:g}"
        assert sum(getattr(each, "path", "") == across for each in scene.drawn) == many


def test_the_present_message_stands_out_and_a_note_has_room_below_its_message() -> None:
    view = sequence(bank_day(), 57)
    now = [message for message in view.messages if message.tense == "now"]
    scene = sequence_scene(view.participants, view.messages, COLUMN)
    bold = [each.text for each in scene.drawn if isinstance(each, Words) and each.is_bold]
    assert bold == [message.label for message in now]
    (note,) = (message.note for message in now)
    places = {each.text: each.y for each in scene.drawn if isinstance(each, Words)}
    assert places[now[0].label] < places[note] < places[view.messages[view.messages.index(now[0]) + 1].label]
    assert scene.height > sum(map(height_of, view.messages))


@pytest.mark.parametrize(("trace", "cursor"), [(bank_day(), 57), (shop_week(), 27)])
def test_no_text_reaches_beyond_the_picture(trace: Trace, cursor: int) -> None:
    view = sequence(trace, cursor)
    scene = sequence_scene(view.participants, view.messages, 60)
    for words in (each for each in scene.drawn if isinstance(each, Words)):
        left = words.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[words.anchor] * words.room
        assert left >= 0, words
        assert left + words.room <= scene.width, words


def test_where_time_passed_a_line_goes_across_and_a_note_stands_beside_who_sets_a_deadline() -> None:
    lab = waited()
    view = sequence(lab.trace, lab.trace.last)
    passed = next(message for message in view.messages if message.kind == "time passed")
    line, words, sign = sequence_scene(view.participants, [passed], COLUMN).drawn[-3:]
    assert isinstance(line, Shape)
    assert re.fullmatch(r"M0 [\d.]+H[\d.]+M[\d.]+ [\d.]+H480", line.path)
    assert (line.stroke, line.dash) == ("time", "")
    assert isinstance(words, Words)
    assert (words.text, words.x, words.colour) == ("9 min 59 s passed", 240, "time")
    assert isinstance(sign, Shape)
    assert (sign.path, sign.fill) == (LOOKS["time passed"].shape, "time-soft")
    set_there = next(message for message in view.messages if message.note)
    assert set_there.noted == set_there.target == 3
    sheet, note = sequence_scene(view.participants, [set_there], COLUMN).drawn[-2:]
    assert isinstance(sheet, Shape)
    assert (sheet.stroke, sheet.fill) == ("time", "time-soft")
    assert isinstance(note, Words)
    assert note.text == "after 10 min: reminder; after 15 min: ExpireHold"
    assert note.x > 240  # its sheet ends at the right edge, below the process manager


def test_what_was_waited_later_is_grey() -> None:
    lab = waited()
    view = sequence(lab.trace, lab.trace.last - 2)
    passed = next(message for message in view.messages if message.kind == "time passed")
    assert passed.tense == "future"
    line, words, sign = sequence_scene(view.participants, [passed], COLUMN).drawn[-3:]
    assert isinstance(line, Shape)
    assert isinstance(words, Words)
    assert isinstance(sign, Shape)
    assert (line.stroke, words.colour, sign.fill) == ("later", "ink-soft", "paper")
