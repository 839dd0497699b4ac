"""The selection has a sentence, and exactly the marks that led to it and that it led to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, Self

import pytest

from calamity_lab.errors import Rejected
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import CreateAccount, DepositFunds, RequestTransfer, WithdrawFunds
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.messages import Start
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.steps import Appended, AtProcessManager, Dispatched, Executed, Refused
from calamity_lab.lab import Lab
from calamity_lab.trace.selection import NOTHING, Selection
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Trace
from calamity_lab.views.arrows import MOST_ARROWS, Arrow
from calamity_lab.views.chart import Charts, Mark
from calamity_lab.views.events import LENGTH
from calamity_lab.views.selected import Selected, described, selected
from calamity_lab.views.tables import causes
from tests.moments import after
from tests.views import sagas
from tests.views.batch import Fill
from tests.views.traces import stepper_of, story_of, trace_of

NASTY = "<script>alert('Greta')</script> \u202eabc 🚀 " + "w" * 500
STORIES = {
    "bank": lambda: story_of(bank),
    "fulfilment": lambda: story_of(fulfilment),
    "sagas": lambda: trace_of(
        *[sagas.Open(name) for name in ("a", "b shut", "c deaf")], managers=(sagas.Polite,)
    ),
}


class Edge(NamedTuple):
    """A command that caused an event; or what made a process manager instance send a command."""

    source: Mark
    target: Mark
    manager: str | None = None


def edges(trace: Trace) -> set[Edge]:
    """The graph of causes, by marks. What answers a rejection is sent because of the rejected command."""
    marks = {event.event_id: Mark("event", n) for n, event in enumerate(trace.index.events, 1)}
    answers = {}
    for step in trace.steps:
        if isinstance(step, (Dispatched, Refused)):
            marks[step.pending.command_id] = Mark("step", step.index)
        elif isinstance(step, AtProcessManager) and isinstance(step.trigger, Rejected):
            answers.update({sent.command_id: step.pending.command_id for sent in step.commands})
    return {
        Edge(marks[answers.get(edge.target, edge.source)], marks[edge.target], edge.process_manager)
        for edge in causes(trace).edges
    }


def beyond(start: Iterable[Mark], found: set[Edge]) -> set[Edge]:
    """Every edge that can be reached from some marks."""
    waiting, reached = list(start), set[Edge]()
    while waiting:
        mark = waiting.pop()
        new = {edge for edge in found if edge.source == mark} - reached
        reached |= new
        waiting.extend(edge.target for edge in new)
    return reached


def before(start: Iterable[Mark], found: set[Edge]) -> set[Edge]:
    """Every edge from which some marks can be reached."""
    turned = beyond(start, {Edge(edge.target, edge.source, edge.manager) for edge in found})
    return {Edge(edge.target, edge.source, edge.manager) for edge in turned}


def reaction(trace: Trace, mark: Mark) -> AtProcessManager | None:
    """The step at a mark, where it is a process manager's."""
    step = trace[mark.number].step if mark.kind == "step" else None
    return step if isinstance(step, AtProcessManager) else None


def drawn(trace: Trace, arrows: Iterable[Arrow]) -> set[Edge]:
    """What arrows say, with each arrow to a reaction and the one from it as a single edge."""
    pairs = [(arrow.cause, arrow.effect) for arrow in arrows]
    assert len(pairs) == len(set(pairs)), "nothing is drawn twice"
    found = set()
    for cause, effect in pairs:
        step = reaction(trace, effect)
        if step is not None:
            after = [other for source, other in pairs if source == effect]
            found |= {Edge(cause, other, step.identity.stream_id) for other in after}
        elif reaction(trace, cause) is None:
            found.add(Edge(cause, effect))
    return found


def marks(trace: Trace) -> list[Mark]:
    """Every mark in the lanes."""
    columns = Charts().of(trace).columns
    events = [Mark("event", n) for n in range(1, len(columns.events.moments) + 1)]
    return events + [Mark("step", moment) for moment in columns.steps.moments]


def selection_at(trace: Trace, mark: Mark) -> Selection:
    if mark.kind == "step":
        return Selection(moment=mark.number)
    return Selection(position=trace.index.events[mark.number - 1].position)


@pytest.mark.parametrize("story", STORIES)
def test_the_arrows_are_exactly_the_causes_and_the_effects(story: str) -> None:
    trace = STORIES[story]()
    graph = edges(trace)
    assert len(graph) > 5
    seen = set()
    for mark in marks(trace):
        view = selected(trace, selection_at(trace, mark))
        assert view.mark == mark
        step = reaction(trace, mark)
        here, there = {mark}, {mark}
        if step is not None:  # its own causes and effects, one arrow away
            here = {arrow.cause for arrow in view.arrows if arrow.effect == mark}
            there = {arrow.effect for arrow in view.arrows if arrow.cause == mark}
            assert len(here) == 1
            assert len(there) == len(step.commands)
        leads = drawn(trace, [arrow for arrow in view.arrows if arrow.leads_here])
        follows = drawn(trace, [arrow for arrow in view.arrows if not arrow.leads_here])
        assert len(view.arrows) < MOST_ARROWS // 2
        assert leads == before(here, graph)
        assert follows == beyond(there, graph)
        seen |= leads | follows
    assert seen == graph


@pytest.mark.parametrize("story", STORIES)
def test_whatever_took_an_event_in_is_among_its_effects(story: str) -> None:
    trace = STORIES[story]()
    for step in trace.steps:
        if isinstance(step, AtProcessManager) and not isinstance(step.trigger, Rejected):
            arrows = selected(trace, Selection(position=step.trigger.position)).arrows
            cause = Mark("event", list(trace.index.events).index(step.trigger) + 1)
            assert Arrow(cause, Mark("step", step.index), leads_here=False) in arrows


def test_a_rejection_leads_to_what_answers_it() -> None:
    trace = STORIES["sagas"]()
    rejected = next(step for step in trace.steps if isinstance(step, Refused))
    view = selected(trace, Selection(moment=rejected.index))
    assert view.title == f"Ask rejected at step {rejected.index}"
    assert view.detail == "Ask rejected: nobody is here (desk 'b shut')"
    kinds = {
        arrow: (
            getattr(trace[arrow.cause.number].step, "kind", None),
            trace.index.events[arrow.effect.number - 1].event_type,
        )
        for arrow in view.arrows
        if arrow.effect.kind == "event" and not arrow.leads_here
    }
    assert list(kinds.values()) == [("Dispatched", "Apologised")]
    first = [arrow.cause for arrow in view.arrows if arrow.leads_here][-1]
    assert first.kind == "step", "up to the first command"


def test_an_event_is_said_with_its_fields_and_where_to_go() -> None:
    trace = story_of(bank)
    event = trace.index.events[3]
    view = selected(trace, Selection(position=4))
    assert (view.kind, view.title) == ("event", f"{event.event_type} #4")
    assert view.detail == f"{event.event_type} #4: account_id='alice', amount=10000, transfer_id=–"
    assert (view.first, view.last, view.position, view.until) == (4, 4, 4, None)
    assert view.moment == trace.index.event_moments[3]
    assert (view.streams, view.command) == ((event.stream_id,), event.causation_id)


def test_a_range_is_said_with_its_events_streams_and_how_long_it_took() -> None:
    trace = story_of(bank)
    view = selected(trace, Selection(position=2, until=5))
    assert (view.kind, view.first, view.last, view.position, view.until) == ("range", 2, 5, 2, 5)
    streams = list(dict.fromkeys(event.stream_id for event in list(trace.index.events)[1:5]))
    assert view.streams == tuple(streams)
    assert view.title == f"4 events of {len(streams)} streams"
    assert view.detail.startswith("positions 2 to 5, in 0:00:")
    assert (view.arrows, view.mark, view.moment) == ((), None, None)


def test_of_a_range_over_which_the_clock_went_back_that_is_said() -> None:
    times = iter(range(100, 0, -1))
    lab = Lab(bank, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=next(times)))
    lab.send(*[bank.CreateAccount(name, name=name) for name in "abc"])
    lab.resume()
    view = selected(lab.trace, Selection(position=1, until=3))
    assert view.detail == "positions 1 to 3, the clock going back by 2:00:00"


def test_a_range_beyond_the_last_event_ends_with_it() -> None:
    trace = story_of(bank)
    last = len(trace.index.events)
    view = selected(trace, Selection(position=-5, until=10**9))
    assert (view.first, view.last, view.position, view.until) == (1, last, 1, last)


def test_a_range_over_missing_positions_holds_the_events_between() -> None:
    from tests.views.test_chart import where_positions_are_missing

    stepper = where_positions_are_missing()
    stepper.resume()
    events = list(stepper.trace.index.events)
    assert [event.position for event in events[:4]] == [5, 6, 7, 10]
    view = selected(stepper.trace, Selection(position=7, until=12))
    assert (view.first, view.position, view.until) == (3, 7, events[view.last - 1].position)
    assert view.until == max(event.position for event in events if event.position <= 12)
    assert selected(stepper.trace, Selection(position=9)) == Selected()
    assert selected(stepper.trace, Selection(position=8, until=9)) == Selected()
    assert selected(stepper.trace, Selection(position=10)).first == 4


def test_a_stream_is_said_with_the_moment_since_which_it_is_known() -> None:
    trace = story_of(bank)
    lane = trace.index.lanes[2]
    view = selected(trace, Selection(stream_id=lane.identity.stream_id))
    assert (view.kind, view.title, view.streams) == ("stream", str(lane.identity), (str(lane.identity),))
    assert view.detail == f"{lane.identity}, first seen at step {lane.since}"


def test_every_lane_of_the_chart_can_be_selected_also_one_without_an_event() -> None:
    trace = trace_of(WithdrawFunds("poor", 5), DepositFunds("rich", 5), WithdrawFunds("rich", 1, "gone"))
    lanes = [lane.stream_id for lane in Charts().of(trace).columns.lanes]
    assert lanes == ["BankAccount-poor", "BankAccount-rich", "Transfer-gone"]
    assert [selected(trace, Selection(stream_id=name)).kind for name in lanes] == ["stream"] * 3
    assert selected(trace, Selection(stream_id="BankAccount-poor")).detail.endswith("first seen at step 3")


def test_the_step_that_recorded_events_is_said_as_its_events() -> None:
    trace = trace_of(Fill("full", 3), managers=())
    appended = next(step for step in trace.steps if isinstance(step, Appended))
    view = selected(trace, Selection(moment=appended.index))
    assert (view.kind, view.first, view.last, view.moment) == ("range", 1, 3, appended.index)
    trace = story_of(bank)
    one = next(step for step in trace.steps if isinstance(step, Appended))
    assert selected(trace, Selection(moment=one.index)) == selected(trace, Selection(position=1))


def test_a_step_without_a_mark_of_its_own_stands_at_its_command() -> None:
    trace = story_of(bank)
    for step in trace.steps:
        view = selected(trace, Selection(moment=step.index))
        if isinstance(step, (Dispatched, Executed)):
            assert view.moment == step.index
            assert view.mark in marks(trace)
            assert view.command == step.pending.command_id


@pytest.mark.parametrize(
    "selection",
    [
        NOTHING,
        Selection(stream_id="BankAccount-nobody"),
        Selection(position=0),
        Selection(position=10**6),
        Selection(position=-3),
        Selection(position=9, until=2),
        Selection(position=10**6, until=10**7),
        Selection(moment=0),
        Selection(moment=10**6),
        Selection(moment=-1),
        Selection(until=5),
    ],
)
def test_of_what_a_branch_has_not_nothing_is_selected(selection: Selection) -> None:
    assert selected(story_of(bank), selection) == Selected()
    assert selected(stepper_of().trace, selection) == Selected()


def test_what_is_on_one_branch_only_is_selected_on_that_branch_only() -> None:
    stepper = stepper_of(*bank.story())
    stepper.resume()
    last = stepper.trace.index.events[-1]
    selections = [
        Selection(position=last.position),
        Selection(moment=stepper.trace.last),
        Selection(stream_id="Transfer-rent"),
    ]
    main = [selected(stepper.trace, selection) for selection in selections]
    stepper.goto(after(stepper, "Completed"))
    stepper.submit(CreateAccount("dan"))
    assert [selected(stepper.trace, selection) for selection in selections] == [Selected()] * 3
    stepper.switch("main")
    assert [selected(stepper.trace, selection) for selection in selections] == main


def test_an_event_of_before_the_trace_is_said_without_a_moment_to_go_to() -> None:
    trace = trace_of(event_store=InMemoryEventStore.of(story_of(bank).index.events))
    view = selected(trace, Selection(position=3))
    assert (view.moment, view.first, view.arrows) == (0, 3, ())


def test_what_a_command_led_to_is_known_though_the_trace_began_in_the_middle_of_it() -> None:
    begun = stepper_of(DepositFunds("a", 50), RequestTransfer("rent", "a", "b", 5))
    while not (isinstance(begun.moment.step, Executed) and "RequestTransfer" in str(begun.moment.step)):
        begun.step_in()
    stepper = Stepper(begun.moment.run, checked=False)
    stepper.resume()
    requested = selected(stepper.trace, Selection(position=2))
    assert requested.title == "TransferRequested #2" or requested.title.startswith("Transfer")
    led_to = {arrow.effect for arrow in requested.arrows if not arrow.leads_here}
    assert {Mark("event", n) for n in range(3, len(stepper.trace.index.events) + 1)} <= led_to
    assert all(arrow.cause.number and arrow.effect.number for arrow in requested.arrows)


def test_text_is_said_as_it_is_and_long_text_is_cut() -> None:
    trace = trace_of(CreateAccount(NASTY, name=NASTY), WithdrawFunds(NASTY, 10))
    for selection in (
        Selection(position=1),
        Selection(moment=1),
        Selection(moment=trace.index.rejections[0]),
        Selection(stream_id=f"BankAccount-{NASTY}"),
    ):
        view = selected(trace, selection)
        assert view.kind
        said = json.dumps(asdict(view), ensure_ascii=False)
        assert "<script>alert('Greta')</script>" in said or "<script>alert(\\'Greta" in said
        assert "&lt;" not in said
        if view.kind != "stream":
            assert len(view.detail) < LENGTH + 100
    for mark in (Mark("event", 1), Mark("step", 1), Mark("step", trace.index.rejections[0])):
        assert 0 < len(described(trace, mark)) < LENGTH + 100


@pytest.mark.parametrize("number", [0, 10**6])
@pytest.mark.parametrize("kind", ["event", "step"])
def test_a_mark_that_the_run_does_not_have_is_described_as_nothing(kind: Any, number: int) -> None:
    assert described(story_of(bank), Mark(kind, number)) == ""


@pytest.mark.parametrize("mark", [Mark("event", 12), Mark("step", 57)])
def test_a_mark_is_read_from_its_text(mark: Mark) -> None:
    assert Mark.read(str(mark)) == mark


@pytest.mark.parametrize(
    "text", ["", "event", "event -1", "events 1", "step 1.5", "step ٣", "step 1\n", 7, None, ["step 1"]]
)
def test_what_is_no_mark_is_not_read_as_one(text: Any) -> None:
    with pytest.raises(ValueError, match="a mark in the lanes, such as 'event 12'"):
        Mark.read(text)


def test_a_rejected_command_is_said_as_its_rejection() -> None:
    trace = trace_of(WithdrawFunds("a", 5))
    dispatched, rejected = Mark("step", 1), Mark("step", trace.index.rejections[0])
    detail = selected(trace, Selection(moment=1)).detail
    assert described(trace, dispatched) == described(trace, rejected) == detail
    assert detail.startswith("WithdrawFunds rejected: ")


@dataclass(frozen=True)
class Copying:
    """Has every event of a batch copied: as many commands as the batch has events."""

    id: str

    @classmethod
    def interested(cls, event: Any) -> Any:
        return Start(event.id) if event.id.startswith("batch") else None

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def apply(self, event: Any) -> Self:
        return self

    def handle(self, event: Any) -> Any:
        return Fill(f"copy of {self.id} ", 1)


@cache
def copied(count: int) -> Trace:
    return trace_of(Fill("batch ", count), managers=(Copying,))


def test_the_last_of_thousands_of_commands_still_has_all_that_led_to_it() -> None:
    trace = copied(2_000)
    view = selected(trace, Selection(position=len(trace.index.events)))
    assert view.title == "Filled #4000"
    reacted = next(step for step in trace.steps if "'batch 1999'" in str(step) and step.kind == "Started")
    command = trace.index.command_start(view.moment or 0)
    assert [(str(arrow.cause), str(arrow.effect), arrow.leads_here) for arrow in view.arrows] == [
        (f"step {command}", "event 4000", True),
        (f"step {reacted.index}", f"step {command}", True),
        ("event 2000", f"step {reacted.index}", True),
        ("step 1", "event 2000", True),
    ]


def test_of_thousands_of_effects_the_nearest_are_drawn() -> None:
    trace = copied(2_000)
    view = selected(trace, Selection(moment=1))
    assert [(str(arrow.cause), str(arrow.effect)) for arrow in view.arrows] == [
        ("step 1", f"event {n}") for n in range(1, MOST_ARROWS // 2 + 1)
    ]


def looked_at(monkeypatch: pytest.MonkeyPatch, trace: Trace, selection: Selection) -> int:
    """How often the view looks into the trace."""
    looks, leaf = 0, PersistentVector._leaf

    def counted(vector: PersistentVector[Any], place: int) -> Any:
        nonlocal looks
        looks += 1
        return leaf(vector, place)

    with monkeypatch.context() as counting:
        counting.setattr(PersistentVector, "_leaf", counted)
        selected(trace, selection)
    return looks


@pytest.mark.parametrize("share", [0, 0.5, 0.51, 1])
def test_what_is_selected_of_a_cascade_costs_the_same_with_hundreds_and_with_thousands_of_commands(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    near, far = (
        looked_at(monkeypatch, copied(count), Selection(position=max(1, int(2 * count * share))))
        for count in (400, 2_000)
    )
    assert near > 0
    assert far < 1.6 * near + 60, f"{near} looks became {far}"


def test_the_marks_of_one_command_share_what_it_led_to(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_of(Fill("batch ", 300), managers=(Copying,))
    first, second = (looked_at(monkeypatch, trace, Selection(position=position)) for position in (7, 8))
    assert second < first / 20


def test_a_range_that_stays_selected_is_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = stepper_of(*bank.random_commands(400, seed=3), managers=())
    stepper.resume()
    selection = Selection(position=1, until=stepper.trace.index.last_position)
    first = selected(stepper.trace, selection)
    stepper.submit(DepositFunds("new", 5))
    stepper.step_over()
    with monkeypatch.context() as counting:
        counting.setattr(PersistentVector, "iterate", lambda *_: pytest.fail("walked again"))
        again = selected(stepper.trace, selection)
    assert again == first
