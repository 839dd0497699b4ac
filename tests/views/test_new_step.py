"""A kind of step that the views do not know is shown by what it says of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from calamity_lab.examples import bank
from calamity_lab.kernel.steps import AtAggregate
from calamity_lab.model import Model
from calamity_lab.trace.selection import Selection
from calamity_lab.trace.trace import Trace
from calamity_lab.views.controls import controls
from calamity_lab.views.process_graph import EVERYTHING, process_graph
from calamity_lab.views.selected import selected
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.views.tables import step_row, steps
from tests.views.traces import story_of


class Audited(AtAggregate, frozen=True):
    """The aggregate was looked at by an auditor."""

    tone = "conflict"
    verb = "audited"


@pytest.fixture
def trace() -> Trace:
    """A story whose first command is audited before it is decided."""
    story = story_of(bank)
    dispatched = story[1].step
    assert dispatched is not None
    assert dispatched.subject is not None
    before = Trace.of(story[0].run).append(dispatched, story[1].run)
    return before.append(Audited(2, dispatched.pending, dispatched.subject), story[1].run)


def texts(view: Any) -> str:
    return repr(asdict(view))


def test_its_sentence_names_its_subject_and_its_verb(trace: Trace) -> None:
    name = str(getattr(trace[2].step, "stream_id", None))
    assert controls(trace, 2).sentence == f"Step 2: {name} audited"
    assert [*map(step_row, steps(trace))][-1].fact == f"{name} audited"


def test_its_tone_is_the_one_that_it_says(trace: Trace) -> None:
    assert controls(trace, 2).tone == "conflict"


def test_the_sequence_has_a_line_for_it(trace: Trace) -> None:
    assert ("audited", 2) in [(each.label, each.moment) for each in sequence(trace, 2).messages]


def test_it_can_be_selected(trace: Trace) -> None:
    view = selected(trace, Selection(moment=2))
    assert view.title.endswith("audited at step 2")
    assert view.streams == (getattr(trace[2].step, "stream_id", None),)


def test_the_graph_and_the_state_are_drawn_at_it(trace: Trace) -> None:
    graph = process_graph(trace, 2, Model.find(bank), manager=EVERYTHING)
    assert {node.kind for node in graph.nodes if node.current} == {"command", "aggregate"}
    assert texts(state(trace, 2))
