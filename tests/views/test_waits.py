"""A run in which time passes, with deadlines, goes through every view, export and painter."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from calamity_lab import ALL, After, At, Lab, Rejected, Run, Start, dispatch, policy, ticking_clock
from calamity_lab.kernel.steps import CaughtUp, Started, Step
from calamity_lab.trace.index import Index
from calamity_lab.trace.selection import NOTHING, Selection
from calamity_lab.trace.sentences import changes_of_deadlines, origin
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import MOST_DUE, agenda
from calamity_lab.views.arrows import cause_of, effects_of
from calamity_lab.views.branches import branch_tree
from calamity_lab.views.chart import CLOCK, Charts, DeadlineSpan, LaneDeadlines, Mark
from calamity_lab.views.controls import controls
from calamity_lab.views.counters import counters
from calamity_lab.views.details import actions_on, details, stops_view
from calamity_lab.views.events import event_rows
from calamity_lab.views.lanes import Lanes, whole, window
from calamity_lab.views.log import log_rows
from calamity_lab.views.process_graph import EVERYTHING, process_graph, waiting
from calamity_lab.views.search import search_results
from calamity_lab.views.selected import described, selected
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.views.why import answer, asked_about, why
from calamity_lab.widgets.patches import plain
from calamity_lab.widgets.view_widget import FACES, ViewWidget
from tests import holds
from tests.holds import ExtendHold, GuestReminded, Holding, HoldSeat, RemindGuest, SeatHeld, SellSeat, theatre
from tests.pages import carried
from tests.test_hostile_text import STILL, Elements
from tests.widgets.front_end_stand_in import FrontEnd


@policy
def hold_again(event: GuestReminded) -> After:
    return After(timedelta(days=1), HoldSeat(event.seat_id), name="<b>again</b>")


def waited() -> Lab:
    """A lab in which deadlines were set, came due, were replaced and cancelled, and one was dropped."""
    lab = Lab(
        aggregates=[holds.Seat],
        process_managers=[Holding, hold_again],
        stack=replace(theatre(), process_manager_types=(Holding, hold_again)),
    )
    lab.send(HoldSeat("A1"), HoldSeat("B2"))
    lab.resume()
    lab.wait()
    lab.wait(timedelta(seconds=1))  # both reminders are pending
    lab.drop(1)
    lab.send(ExtendHold("A1"), SellSeat("B2"))
    lab.resume()
    lab.wait(timedelta(hours=1))
    lab.fork("sold")
    lab.send(HoldSeat("A1"))
    lab.resume(wait=True, limit=6)
    return lab


@cache
def lab() -> Lab:
    return waited()


def looked_at(lab: Lab, cursor: int) -> Iterator[Any]:
    """What each view has at a moment."""
    trace, model = lab.trace, lab.model
    chart = Charts().of(trace)
    yield controls(trace, cursor)
    yield agenda(trace, cursor)
    yield state(trace, cursor, limit=99)
    yield window(chart, cursor)
    yield whole(Lanes(chart, "time"))
    yield process_graph(trace, cursor, model)
    yield process_graph(trace, cursor, model, manager=EVERYTHING)
    yield sequence(trace, cursor)
    yield sequence(trace, cursor, correlation=ALL, limit=99)
    yield event_rows(trace, cursor)
    yield log_rows(trace, cursor, chart=chart)
    yield search_results(trace, cursor, query="a", limit=99)
    yield counters(trace, cursor)
    yield waiting(trace, cursor, model, "Holding-A1")
    yield stops_view(lab.stepper.stops, trace, cursor, NOTHING)
    for picked in (
        Selection(moment=cursor),
        *(Selection(moment=cursor, command=each.command_id) for each in trace[cursor].agenda.entries()),
    ):
        yield selected(trace, picked)
        yield details(trace, picked)
        yield tuple(actions_on(trace, picked))
        if cursor:
            yield answer(trace, why(trace, cursor, asked_about(trace, cursor, picked)))
    step = trace[cursor].step
    if step is not None:
        mark = Mark("step", cursor)
        yield described(trace, mark), cause_of(trace, mark), tuple(effects_of(trace, mark))


def test_every_view_can_be_sent_and_takes_no_wait_for_a_command() -> None:
    for cursor in range(len(lab().trace)):
        for view in looked_at(lab(), cursor):
            text = repr(view)
            assert not [each for each in ("is missing", "every Wait", "Wait time") if each in text]
            if not isinstance(view, (tuple, list, str)):
                json.dumps(plain(view), ensure_ascii=False, allow_nan=False).encode()


def test_every_widget_shows_it_as_text() -> None:
    here = waited()
    for moment in range(0, len(here.trace), 7):
        here.goto(moment)
        for face in FACES:
            Elements(ViewWidget(here, face).still()).check(STILL)


def test_every_export_has_it(tmp_path: Path) -> None:
    here = waited()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for plot in (here.plot_timeline, here.plot_process_managers, here.plot_sequence, here.plot_agenda):
            axes = plot(ax=Figure(figsize=(7, 5), layout="constrained").subplots())
            axes.figure.draw_without_rendering()  # type: ignore[union-attr]
        by_time = here.plot_timeline(Figure().subplots(), by="time")
        by_time.figure.draw_without_rendering()  # type: ignore[union-attr]
    assert "s passed" in here.to_mermaid(correlation=ALL)
    assert here.to_networkx().number_of_edges()
    here.to_html(tmp_path / "run.html")
    assert [*carried.shown(carried.carried((tmp_path / "run.html").read_text()))]
    steps = here.steps.to_pandas()
    assert len(steps) == len(here.trace) - 1
    assert (steps["kind"] == "Elapsed").sum() == len(here.trace.index.elapsed)
    for table in (here.history, here.aggregates, here.process_managers):
        assert not table.to_pandas().empty


def test_branches_of_a_run_with_waits_are_compared() -> None:
    here = waited()
    assert "sold" in repr(here.compare("main"))
    assert [each.name for each in branch_tree(here.trace).rows] == ["main", "sold"]


def test_each_wait_has_a_mark_in_a_lane_of_its_own_that_says_how_much_time_passed() -> None:
    here = waited()
    found = whole(Lanes(Charts().of(here.trace)))
    assert (found.rows[0].name, found.rows[0].kind) == (CLOCK.stream_id, "time passed")
    marks = [each for each in found.marks if each.kind == "time passed"]
    assert [each.moment for each in marks] == [*here.trace.index.elapsed]
    assert [each.label for each in marks][:2] == ["9 min 58 s", "1 s"]
    assert {each.lane for each in marks} == {0}
    lanes = Lanes(Charts().of(here.trace))
    assert lanes.cursor(marks[0].moment - 1) < marks[0].x < lanes.cursor(marks[0].moment)


def test_a_deadline_is_drawn_from_where_it_was_set_to_where_it_was_met_or_taken_off() -> None:
    here = waited()
    lanes = Lanes(Charts().of(here.trace))
    drawn = [*lanes.drawn_deadlines(here.trace.last)]
    names = [lanes.lanes[each.lane].stream_id for each in drawn]
    assert names[:4] == ["Holding-A1", "Holding-A1", "Holding-B2", "Holding-B2"]
    assert [each.end for each in drawn][:4] == ["came due", "taken off", "came due", "taken off"]
    assert {each.end for each in drawn} == {"came due", "taken off", "set"}
    at = {each.mark.number: each.x for each in lanes.marks() if each.mark and each.mark.kind == "step"}
    for each in drawn:
        step = here.trace[each.since].step
        assert step is not None
        assert any(lanes.lanes[each.lane].stream_id == str(d.sender) for d in step.deadlines)
        assert each.x == at[each.since]
        if each.end != "set":
            assert each.until == at[each.until_moment] > each.x


def test_a_deadline_that_is_kept_ends_at_the_cursor_and_one_that_is_not_set_yet_is_not_drawn() -> None:
    here = Lab(holds, stack=theatre())
    here.send(HoldSeat("A1"))
    here.resume()
    lanes = Lanes(Charts().of(here.trace))
    kept = [*lanes.drawn_deadlines(here.cursor)]
    assert [(each.end, each.until) for each in kept] == [("set", lanes.cursor(here.cursor))] * 2
    assert not [*lanes.drawn_deadlines(1)]
    assert window(lanes.chart, here.cursor).deadlines == tuple(replace(each, lane=1) for each in kept)


def test_a_fork_keeps_the_deadlines_up_to_it_and_forgets_how_they_ended() -> None:
    here = waited()
    charts = Charts()
    charts.of(here.trace)
    here.goto(at(here, "Elapsed") - 1)
    here.fork("other")
    here.wait()
    forked, fresh = (Lanes(each.of(here.trace)) for each in (charts, Charts()))
    drawn = [*forked.drawn_deadlines(here.trace.last)]
    assert drawn == [*fresh.drawn_deadlines(here.trace.last)]
    assert [each.end for each in drawn] == ["came due", "set", "set", "set"]


def test_the_index_of_each_moment_has_the_deadlines_of_then() -> None:
    trace = waited().trace
    rebuilt = Index.of(trace[0].stack)
    for step in trace.steps:
        rebuilt = rebuilt.add(step, lambda at: trace[at].step)
        found = trace.branch.index_at(step.index)
        assert (found.deadlines, found.ended) == (rebuilt.deadlines, rebuilt.ended)
    assert {each.how for each in rebuilt.ended.values()} == {"set", "came due", "taken off"}


def test_a_deadline_that_was_set_before_the_run_began_is_drawn_from_its_beginning() -> None:
    held = dispatch(theatre(), HoldSeat("A1"))
    here = Lab(holds, stack=held)
    here.wait()
    lanes = Lanes(Charts().of(here.trace))
    drawn = window(lanes.chart, here.cursor).deadlines
    assert [(each.since, each.end) for each in drawn] == [(0, "came due"), (0, "set")]
    assert {each.x for each in drawn} == {lanes.cursor(0)} == {1.25}
    assert drawn[0].until == 1.5
    assert [each.moment for each in here.trace.index.deadlines] == [0, 0]


def test_the_line_of_a_deadline_has_details_whatever_became_of_it() -> None:
    here = waited()
    numbers = range(1, len(here.trace.index.deadlines) + 1)
    ends = {here.trace.index.ended[each.pending.command_id].how for each in here.trace.index.deadlines}
    assert ends == {"set", "came due", "taken off"}
    for number in numbers:
        picked = Selection(deadline=number)
        moment, pending = here.trace.index.deadlines[number - 1]
        found = details(here.trace, picked)
        assert found.title == f"{pending.deadline} of {pending.sender}"
        assert [each.moment for each in found.causes] == [moment]
        how = here.trace.index.ended[pending.command_id].how
        assert ("wait" in [each.verb for each in actions_on(here.trace, picked)]) == (how == "set")
        assert {"choose", "drop", "inject"}.isdisjoint(each.verb for each in actions_on(here.trace, picked))
        sent = [each.label for each in found.effects]
        assert sent in ([], [pending.command_type])
        assert not sent or how == "came due"
        assert asked_about(here.trace, here.cursor, picked) == pending
        assert selected(here.trace, picked).mark == Mark("deadline", number)
        in_list = Selection(moment=moment, command=pending.command_id)
        assert how == "came due" or selected(here.trace, in_list).mark == Mark("deadline", number)

        if how == "taken off":
            here.select(pending)
            assert here.stepper.selection == picked
    assert selected(here.trace, Selection(deadline=len(numbers) + 1)).kind == ""
    assert details(here.trace, Selection(deadline=0)).key == ""


LIVES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans()), max_size=150)


@settings(max_examples=100, deadline=None)
@given(LIVES, st.integers(0, 320), st.integers(0, 60), st.integers(0, 320))
def test_the_deadlines_in_sight_are_those_that_looking_at_all_finds(
    lives: list[tuple[int, int, bool]], since: int, length: int, cursor: int
) -> None:
    inside, moment, until = LaneDeadlines(), 0, since + length
    for number, (later, ends, last) in enumerate(lives, 1):
        moment += later
        inside.set(DeadlineSpan(number, 0, moment))
        kept = [each for each in inside.spans if each.until is None]
        for each in kept[-ends:] if ends and last else kept[:ends]:
            inside.end(each.number, moment + 1, "came due")
        moment += 1
    found = [*inside.in_sight(since, until, cursor)]
    across = [each for each in inside.spans if each.since < since and (each.until or inf) > until]
    shown = [each for each in across if each.until is not None or cursor >= since]
    touching = [
        each
        for each in inside.spans
        if since <= each.since <= until or (each.until is not None and since <= each.until <= until)
    ]
    looks = [(each.number % 3, each.until is None) for each in found if each in across]
    assert sorted(each.number for each in found if each not in across) == [each.number for each in touching]
    assert sorted(looks) == sorted({(each.number % 3, each.until is None) for each in shown})


def test_the_lane_of_the_waits_begins_with_the_first_wait_and_grows_as_any() -> None:
    here = Lab(holds, stack=theatre())
    here.send(HoldSeat("A1"))
    here.resume()
    charts = Charts()
    before = charts.of(here.trace)
    assert CLOCK not in before.columns.lanes[: before.sizes.lanes]
    here.wait()
    after = charts.of(here.trace)
    assert after.columns.lanes[before.sizes.lanes : after.sizes.lanes] == [CLOCK]
    assert after.shared(before) == before.sizes
    assert after.sizes.steps == before.sizes.steps + 1


def step_of(lab: Lab, kind: str, number: int = 0) -> Step:
    """A step of a kind."""
    steps = [moment.step for moment in lab.trace if moment.step is not None]
    return [step for step in steps if step.kind == kind][number]


def at(lab: Lab, kind: str, number: int = 0) -> int:
    return step_of(lab, kind, number).index


def test_the_origin_of_a_deadline_says_so() -> None:
    moment = at(lab(), "Elapsed")
    entry = agenda(lab().trace, moment).entries[0]
    assert entry.origin == "deadline reminder: SeatHeld #1 by Holding-A1"
    assert entry.sender == "Holding-A1"
    (unnamed,) = lab().trace[moment].stack.deadlines.of("Holding-A1")
    assert origin(unnamed) == "deadline: SeatHeld #1 by Holding-A1"


def test_time_that_passed_is_shown_whole() -> None:
    moment = at(lab(), "Elapsed")
    view = details(lab().trace, Selection(moment=moment))
    assert view.title == f"9 min 58 s passed at step {moment}"
    assert ("passed", "9 min 58 s") in view.rows()
    assert ("led to", "RemindGuest Seat-A1") in view.rows()
    assert controls(lab().trace, moment).commands == len(lab().trace.index.dispatched) - len(
        lab().trace.index.elapsed
    )


def test_what_a_deadline_sent_leads_back_to_where_it_was_set() -> None:
    trace = lab().trace
    sent = [m.step.index for m in trace if m.step and m.step.begins and m.step.pending.deadline == "reminder"]
    dispatched = sent[0]
    assert cause_of(trace, Mark("step", dispatched)) == Mark("step", at(lab(), "Started"))
    assert (Mark("step", dispatched), 0) in effects_of(trace, Mark("step", at(lab(), "Started")))


def test_an_instance_waits_for_its_deadlines_and_no_user_has_to_send_them() -> None:
    sentence = waiting(lab().trace, at(lab(), "Started", 1), lab().model, "Holding-B2")
    assert sentence.endswith(
        "a user has to send ExtendHold or SellSeat; or for GuestReminded or HoldExpired: reminder is due at "
        "2026-01-01 00:10:01 UTC"
    )


def test_the_graph_knows_what_is_set_for_later_before_it_happens() -> None:
    graph = process_graph(lab().trace, 0, lab().model, manager="Holding")
    later = {(edge.source, edge.target) for edge in graph.edges if edge.label == "later"}
    assert later == {
        ("process manager:Holding", "command:RemindGuest"),
        ("process manager:Holding", "command:ExpireHold"),
    }
    assert not any(edge.count for edge in graph.edges)


def due_on_edges(lab: Lab, **asked: Any) -> dict[str, str]:
    """When the deadlines of the process graph are due, by the command."""
    graph = process_graph(lab.trace, lab.cursor, lab.model, **asked)
    return {edge.target.partition(":")[2]: edge.when for edge in graph.edges if edge.label == "later"}


def test_the_edges_of_deadlines_say_after_how_long_before_they_happen_and_whoever_is_looked_at() -> None:
    delays = {"RemindGuest": "after 10 min", "ExpireHold": "after 15 min"}
    assert due_on_edges(Lab(holds)) == delays
    here = waited()
    assert due_on_edges(here) == delays
    assert due_on_edges(here, manager=EVERYTHING) == {**delays, "HoldSeat": "after 1 day"}
    graph = process_graph(here.trace, 0, here.model)
    assert {edge.when for edge in graph.edges if edge.label != "later"} == {""}
    words = {
        text: (x, y)
        for way in process_graph(here.trace, 0, here.model).scene.ways
        for x, y, text in way.words
    }
    assert {text: x for text, (x, _) in words.items() if text in delays.values()} == {
        "after 10 min": 22,
        "after 15 min": 22,
    }


@dataclass(frozen=True)
class Visiting:
    """Sets deadlines in ways that differ: by its state, at a time, and by the kind of the event."""

    seat_id: str
    times: int = 0

    @classmethod
    def new(cls, seat_id: str) -> Visiting:
        return cls(seat_id)

    @classmethod
    def interested(cls, event: Any) -> Any:
        return Start(event.seat_id)

    def apply(self, event: Any) -> Visiting:
        return replace(self, times=self.times + 1)

    def handle(self, event: Any) -> Any:
        reminder = After(timedelta(minutes=5 * self.times), RemindGuest(self.seat_id))
        if isinstance(event, SeatHeld):
            return [
                reminder,
                At(datetime(2027, 3, 1, 9, tzinfo=UTC), SellSeat(self.seat_id)),
                After(timedelta(minutes=5), ExtendHold(self.seat_id)),
            ]
        return [reminder, After(timedelta(hours=2), ExtendHold(self.seat_id))]


def test_delays_that_differ_are_a_range_and_what_was_made_up_is_not_told() -> None:
    here = Lab(
        aggregates=[holds.Seat],
        process_managers=[Visiting],
        stack=replace(theatre(), process_manager_types=()),
    )
    assert due_on_edges(here) == {
        "RemindGuest": "later",
        "SellSeat": "at a given time",
        "ExtendHold": "after 5 min to 2 h",
    }
    here.send(HoldSeat("A1"), HoldSeat("B2"), ExtendHold("B2"))
    here.resume()
    assert due_on_edges(here) == {
        "RemindGuest": "after 5 min to 10 min",
        "SellSeat": "at 2027-03-01 09:00:00 UTC",
        "ExtendHold": "after 5 min to 2 h",
    }
    words = [way.words for way in process_graph(here.trace, 0, here.model).scene.ways if way.words]
    lines = [tuple(text for _, _, text in each) for each in words]
    assert {*lines} >= {
        ("after 5 min", "to 10 min"),
        ("at 2027-03-01", "09:00:00 UTC"),
        ("after 5 min", "to 2 h"),
    }
    picked = details(here.trace, Selection(moment=0, type="process manager:Visiting"))
    assert (
        "sets for later",
        "ExtendHold (after 5 min to 2 h), RemindGuest (after 5 min to 10 min), SellSeat (at "
        "2027-03-01 09:00:00 UTC)",
    ) in picked.rows()
    command = details(here.trace, Selection(moment=0, type="command:SellSeat"))
    assert ("set for later by", "Visiting (at 2027-03-01 09:00:00 UTC)") in command.rows()


def test_a_deadline_is_selected_while_it_is_set_and_after() -> None:
    here = waited()
    here.goto(at(here, "Started"))
    deadline = here.deadlines[0]
    picked = Selection(moment=here.cursor, command=deadline.command_id)
    assert details(here.trace, picked).title == f"RemindGuest dispatched at step {at(here, 'Elapsed', 1) + 1}"
    later = Selection(moment=here.cursor, command=here.deadlines[1].command_id)
    assert details(here.trace, later).title == "ExpireHold due at 2026-01-01 00:15:00 UTC"
    assert [each.label for each in actions_on(here.trace, later)][1] == "Wait until this"
    assert "Lose" not in [each.label for each in actions_on(here.trace, later)]


def test_what_a_manager_sets_while_it_catches_up_is_told() -> None:
    started = step_of(lab(), "Started")
    assert isinstance(started, Started)
    first = lab().trace[0]
    caught_up = CaughtUp(1, started.pending, started.identity, 1, 1, deadlines=started.deadlines)
    behind = Trace.of(first.run).append(caught_up, first.run)
    assert "sets reminder for" in controls(behind, behind.last).sentence
    assert ("reminder", "2026-01-01 00:10:00 UTC") in details(behind, Selection(moment=behind.last)).rows()


def test_the_log_finds_a_deadline_by_its_name() -> None:
    rows = log_rows(lab().trace, 0, only="steps", query="reminder", limit=99).rows
    assert {row.kind for row in rows} >= {"time passed", "started"}


def test_the_list_due_says_what_is_due_when_and_why() -> None:
    here = waited()
    here.goto(at(here, "Started", 1) + 1)
    view = agenda(here.trace, here.cursor)
    assert view.deadlines == 4
    first = view.due[0]
    assert (first.deadline, first.command, first.origin) == (
        "reminder",
        "RemindGuest",
        "SeatHeld #1 by Holding-A1",
    )
    assert (first.due_at, first.far, first.cause) == ("2026-01-01 00:10:00 UTC", "in 9 min 58 s", 4)
    assert [each.deadline for each in view.due] == ["reminder", "reminder", "ExpireHold", "ExpireHold"]


def test_what_is_past_its_time_is_overdue() -> None:
    here = waited()
    moment = at(here, "Started")
    late = replace(here.trace[moment].run.stack, clock=ticking_clock("2026-01-01T02:00"))
    behind = Trace.of(Run(late))
    assert [each.far for each in agenda(behind, 0).due] == [
        "overdue: 1 h 50 min ago",
        "overdue: 1 h 45 min ago",
    ]
    assert all(each.is_overdue for each in agenda(behind, 0).due)
    assert "overdue" in controls(behind, 0).wait


def test_only_the_first_of_many_deadlines_are_listed() -> None:
    here = Lab(holds, stack=theatre())
    here.send(*[HoldSeat(f"S{number}") for number in range(20)])
    here.resume()
    view = agenda(here.trace, here.cursor)
    assert (len(view.due), view.deadlines) == (MOST_DUE, 40)


def test_the_controls_say_for_what_one_can_wait_and_else_why_not() -> None:
    here = Lab(holds, stack=theatre())
    assert (controls(here.trace, 0).wait, controls(here.trace, 0).no_wait) == ("", "No deadline is set")
    here.send(HoldSeat("A1"))
    here.step_in()
    assert controls(here.trace, 1).no_wait == "Time passes between commands, and HoldSeat is in progress"
    here.resume()
    assert (
        controls(here.trace, here.cursor).wait
        == "Wait until reminder of Holding-A1 is due: 2026-01-01 00:10:00 UTC (in 9 min 59 s)"
    )


def pressed(*, wait: dict[str, Any]) -> Lab:
    """A lab with a seat that is held, after a person has waited."""
    here = Lab(holds, stack=theatre())
    here.send(HoldSeat("A1"))
    here.resume()
    FrontEnd(ViewWidget(here)).ask("wait", **wait)
    return here


def test_a_person_waits_in_the_widget() -> None:
    names = [type(each).__name__ for each in pressed(wait={}).agenda]
    assert names == ["RemindGuest"]
    assert [each.event_type for each in pressed(wait={"seconds": 3600}).events][-1] == "HoldExpired"
    assert [each.event_type for each in pressed(wait={"to": "2026-01-01 00:12"}).events][
        -1
    ] == "GuestReminded"
    assert not pressed(wait={"through": True}).deadlines


def test_a_person_waits_until_one_deadline_is_due() -> None:
    here = Lab(holds, stack=theatre())
    here.send(HoldSeat("A1"))
    here.resume()
    FrontEnd(ViewWidget(here)).ask("wait", which=here.deadlines[1].command_id)
    assert [type(each).__name__ for each in here.agenda] == ["ExpireHold"]


def test_a_time_that_is_none_is_told_and_nothing_moves() -> None:
    here = Lab(holds, stack=theatre())
    front_end = FrontEnd(ViewWidget(here))
    answer = front_end.ask("wait", to="tomorrow")
    assert "'tomorrow' is not a time" in answer["controls"]["sentence"]
    assert "2026-03-01 09:00" in answer["controls"]["sentence"]
    assert here.cursor == 0


def test_why_goes_on_from_a_deadline_to_the_event_because_of_which_it_was_set() -> None:
    trace = lab().trace
    (reminded, *_) = [each for each in trace.index.events if each.event_type == "GuestReminded"]
    chain = why(trace, trace.last, reminded)
    links = chain.links
    assert [(each.kind, each.label) for each in links] == [
        ("event", "GuestReminded #3"),
        ("command", "RemindGuest"),
        ("deadline", "deadline reminder"),
        ("reaction", "Holding-A1"),
        ("event", "SeatHeld #1"),
        ("command", "HoldSeat"),
    ]
    assert links[1].sentence == "deadline reminder: SeatHeld #1 by Holding-A1"
    assert links[2].sentence == (
        "due at 2026-01-01 00:10:00 UTC, 10 min after SeatHeld #1; set at step 5, came due at step 13"
    )
    in_widget = answer(trace, chain).links[1]
    assert (in_widget.kind, in_widget.mark, in_widget.detail) == (
        "deadline",
        Mark("deadline", 1),
        links[2].sentence,
    )


def test_why_of_a_deadline_says_what_became_of_it_up_to_the_cursor() -> None:
    here = waited()
    set_at = at(here, "Started")
    reminder, expiry = here.trace[set_at].step.deadlines
    here.goto(set_at)
    assert here.why(expiry)[0].sentence.endswith("after SeatHeld #1; set at step 5")
    here.goto(here.trace.last)
    assert here.why(expiry)[0].sentence.endswith("after SeatHeld #1; set at step 5, taken off at step 24")
    assert [each.kind for each in here.why(expiry)] == ["deadline", "reaction", "event", "command"]
    assert [each.kind for each in here.why(reminder)][:2] == ["command", "deadline"]


def test_why_ends_where_a_deadline_was_set_before_the_run_began() -> None:
    held = dispatch(theatre(), HoldSeat("A1"))
    here = Lab(holds, stack=held)
    here.resume(wait=True)
    last = why(here.trace, here.cursor, here.events[-1]).links[-1]
    assert (last.kind, last.label, last.moment) == ("deadline", "deadline ExpireHold", at(here, "Elapsed", 1))
    assert last.sentence == (
        "due at 2026-01-01 00:15:00 UTC, 15 min after SeatHeld #1; set before the run began, "
        "came due at step 7"
    )


def told(here: Lab, cursor: int, **asked: Any) -> list[tuple[str, str, str, str]]:
    """The kind, the label, the note and the tense of each message."""
    messages = sequence(here.trace, cursor, **asked).messages
    return [(each.kind, each.label, each.note, each.tense) for each in messages]


def test_the_sequence_says_which_deadlines_were_set_and_where_time_passed() -> None:
    here = waited()
    first = here.events[0].correlation_id
    shown = told(here, here.trace.last, correlation=first)
    assert shown[2:5] == [
        ("started", "SeatHeld", "after 10 min: reminder; after 15 min: ExpireHold", "past"),
        ("time passed", "9 min 58 s passed", "", "past"),
        ("time passed", "1 s passed", "", "past"),
    ]
    # What the policy sets is still to come, so what is waited after it is part of the cascade.
    assert [each[:3] for each in shown[-4:]] == [
        ("answered", "GuestReminded", "after 1 day: <b>again</b>"),
        ("time passed", "14 min 58 s passed", ""),
        ("time passed", "45 min 1 s passed", ""),
        ("time passed", "9 min 59 s passed", ""),
    ]
    # The seat that is sold waits for nothing any more.
    sold = next(each for each in here.events if each.event_type == "SeatSold").correlation_id
    assert told(here, here.trace.last, correlation=sold)[-1] == (
        "stopped",
        "SeatSold",
        "cancels ExpireHold",
        "past",
    )


def test_a_deadline_that_answers_a_rejection_is_told_by_its_time() -> None:
    step = step_of(lab(), "Started")
    assert isinstance(step, Started)
    rejected = replace(step, trigger=Rejected("no"))
    assert changes_of_deadlines(step) == "after 10 min: reminder; after 15 min: ExpireHold"
    assert changes_of_deadlines(rejected) == (
        "at 2026-01-01 00:10:00 UTC: reminder; at 2026-01-01 00:15:00 UTC: ExpireHold"
    )
    many = replace(step, deadlines=step.deadlines * 2, taken_off=())
    assert changes_of_deadlines(many).endswith("after 10 min: reminder; 1 more")


def test_where_time_passes_until_a_deadline_the_sequence_shows_what_the_deadline_belongs_to() -> None:
    here = waited()
    last = here.trace.index.elapsed[-1]
    view = sequence(here.trace, last)
    assert view.title == "HoldSeat"
    assert [(each.label, each.tense) for each in view.messages[-2:]] == [
        ("9 min 59 s passed", "now"),
        ("RemindGuest", "future"),
    ]
    passed = view.messages[-2]
    assert (passed.source, passed.target) == (0, len(view.participants) - 1)
    assert passed.moment == last
    # Its reminder was dropped, and the hold was sold: nothing is sent after this wait.
    second = told(here, here.trace.index.elapsed[1])
    assert second[-1] == ("time passed", "1 s passed", "", "now")


def test_a_wait_in_which_nothing_was_due_stands_alone() -> None:
    here = Lab(holds, stack=theatre())
    here.wait(timedelta(hours=2))
    view = sequence(here.trace, here.cursor)
    assert (view.title, len(view.participants)) == ("2 h passed", 1)
    assert told(here, here.cursor) == [("time passed", "2 h passed", "", "now")]


def test_the_whole_run_counts_no_wait_as_a_command_and_tells_each() -> None:
    here = waited()
    view = sequence(here.trace, here.trace.last, correlation=ALL, limit=99)
    assert view.title == "The whole run: 8 commands"
    assert view.total == 8
    passed = [each.moment for each in view.messages if each.kind == "time passed"]
    assert passed == [*here.trace.index.elapsed]
    moments = [each.moment for each in view.messages if each.moment is not None]
    assert moments == sorted(moments)
    lone = Lab(holds, stack=theatre())
    lone.wait(timedelta(hours=2))
    assert "Note over S: 2 h passed" in lone.to_mermaid(correlation=ALL)


def test_of_many_waits_one_after_the_other_the_first_are_one_line() -> None:
    here = Lab(holds, stack=theatre())
    here.send(HoldSeat("A1"))
    here.resume()
    for _ in range(7):
        here.wait(timedelta(minutes=1))
    here.wait()
    first, *rest = [each for each in sequence(here.trace, here.cursor).messages if each.kind == "time passed"]
    assert first.label == "5 min passed"
    assert first.detail.startswith("5 waits, the last one: 1 min passed, it is 2026-01-01 00:05:01 UTC")
    assert [each.label for each in rest] == ["1 min passed", "1 min passed", "2 min 59 s passed"]


def test_mermaid_notes_deadlines_beside_who_set_them_and_time_across_all() -> None:
    here = waited()
    lines = here.to_mermaid(correlation=here.events[0].correlation_id).splitlines()
    assert [line.strip() for line in lines if "Note" in line][:3] == [
        "Note over M1: after 10 min#58; reminder#59; after 15 min#58;<br/>ExpireHold",
        "Note over U,M2: 9 min 58 s passed",
        "Note over U,M2: 1 s passed",
    ]
    assert "    Note over M2: after 1 day#58; #60;b#62;again#60;/b#62;" in lines


def test_the_search_finds_deadlines_that_are_set_and_time_that_passed() -> None:
    here = Lab(holds, stack=theatre())
    here.send(HoldSeat("A1"))
    here.resume()
    found = search_results(here.trace, here.cursor, query="due").hits
    assert [(each.kind, each.label, each.moment, each.command_id) for each in found] == [
        ("deadline", "reminder", None, here.deadlines[0].command_id),
        ("deadline", "ExpireHold", None, here.deadlines[1].command_id),
    ]
    assert found[0].detail == "RemindGuest, due 2026-01-01 00:10:00 UTC, SeatHeld #1 by Holding-A1"
    assert [(each.moment, each.kind, each.label) for each in here.find("reminder")] == [
        (here.trace.last, "deadline", "reminder")
    ]
    here.wait()
    waited = here.cursor
    hits = search_results(here.trace, here.cursor, query="reminder").hits
    assert [(each.kind, each.label, each.shape) for each in hits] == [
        ("wait", "9 min 59 s passed", "time passed"),
        ("pending", "RemindGuest", "command"),
    ]
    assert hits[0].mark == Mark("step", waited)
    here.resume()
    assert [(each.moment, each.kind) for each in here.find("reminder")] == [
        (waited, "wait"),
        (waited + 1, "command"),
    ]
