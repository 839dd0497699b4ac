"""The still picture of the process graph has the marks of the live one, in signs and in words."""

from __future__ import annotations

import base64
import re

from calamity_lab.examples import bank
from calamity_lab.model import Model
from calamity_lab.views.looks import SIGNS
from calamity_lab.views.process_graph import process_graph
from calamity_lab.widgets.stills.pictures import process_graph as drawn
from tests.moments import after, before
from tests.views.sagas import Asking, Open, model_of
from tests.views.traces import story_of, trace_of

BANK = Model.find(bank)


def picture(still: str) -> str:
    found = re.search(r"svg\+xml;base64,([^\"]+)", still)
    assert found
    return base64.b64decode(found[1]).decode()


def words(svg: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", svg)


def test_each_status_has_its_sign_and_its_word_in_the_picture_and_in_the_key_below() -> None:
    trace = story_of(bank)
    svg = picture(drawn(process_graph(trace, after(trace, "Continued", -1), BANK)))
    assert words(svg).count("rejected") == 3  # the command, the aggregate, and the key
    assert words(svg).count("waited for") == 2
    assert {"instead", "waits", "gift", "now"} <= set(words(svg))
    for status in ("done", "in flight", "rejected", "waited for"):
        assert SIGNS[status].line in svg


def test_the_sentence_stands_above_the_picture_with_the_time_that_it_takes() -> None:
    trace = story_of(bank)
    still = drawn(process_graph(trace, before(trace, "RefundTransfer"), BANK))
    assert still.index("waits for FundsRefunded") < still.index("<img")
    assert "(since step 58: 1 step)" in still


def test_what_is_overdue_has_a_sign_of_its_own_and_the_word() -> None:
    trace = trace_of(Open("1-shut"), managers=(Asking,))
    still = drawn(process_graph(trace, trace.last, model_of(Asking)))
    assert "which is overdue: Ask was rejected" in still
    assert words(picture(still)).count("overdue") == 3  # the event, the process manager, and the key


def test_without_an_instance_there_is_no_mark() -> None:
    svg = picture(drawn(process_graph(story_of(bank), 0, BANK)))
    assert not {"done", "waits", "waited for"} & set(words(svg))
