"""Deadlines as values: setting, meeting, replacing, cancelling, and time that passes when it is asked to."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamity_lab import (
    After,
    At,
    Cancel,
    Rejected,
    Run,
    Stack,
    advance,
    begin,
    choices,
    dispatch,
    due,
    elapse,
    policy,
    ticking_clock,
)
from calamity_lab.errors import EndlessCascade, IdleRun, InvalidValue, ModelError, OutOfRange
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.deadlines import Deadlines
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.steps import Continued, Elapsed, Ignored, Started, Step, Stopped
from tests.holds import (
    EXPIRED,
    REMINDED,
    ExpireHold,
    ExtendHold,
    GuestReminded,
    HoldExpired,
    Holding,
    HoldSeat,
    RemindGuest,
    Seat,
    SellSeat,
    theatre,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
NAIVE = START.replace(tzinfo=None)
LATER = START + timedelta(days=1)


def to_the_end(run: Run) -> tuple[list[Step], Run]:
    """The steps until nothing is to be done; time does not pass."""
    steps = []
    while not run.idle:
        step, run = advance(run)
        steps.append(step)
    return steps, run


def names(deadlines: Any) -> list[str]:
    return [each.deadline for each in deadlines]


def events(stack: Stack) -> list[str]:
    return [each.event_type for each in stack.event_store]


def test_a_deadline_is_due_after_its_delay_from_when_the_event_was_recorded() -> None:
    stack = dispatch(theatre(), HoldSeat("A1"))
    (recorded,) = stack.event_store
    reminder, expiry = stack.deadlines
    assert (reminder.deadline, reminder.command) == ("reminder", RemindGuest("A1"))
    assert (expiry.deadline, expiry.command) == ("ExpireHold", ExpireHold("A1"))
    assert reminder.due_at == recorded.recorded_at + REMINDED
    assert expiry.due_at == recorded.recorded_at + EXPIRED
    assert expiry.cause == recorded
    assert expiry.sender == Identity(Holding, "A1")
    assert expiry.correlation_id == recorded.correlation_id


def test_the_step_says_which_deadlines_were_set() -> None:
    steps, run = to_the_end(begin(theatre(), HoldSeat("A1")))
    (started,) = [step for step in steps if isinstance(step, Started)]
    assert started.deadlines == tuple(run.stack.deadlines)
    assert started.commands == started.taken_off == ()


def test_advance_lets_no_time_pass_and_an_idle_run_says_when_the_next_deadline_is() -> None:
    run = begin(dispatch(theatre(), HoldSeat("A1")))
    assert run.idle
    with pytest.raises(IdleRun, match=r"the next deadline is reminder, due 2026-01-01 00:10:00 UTC"):
        advance(run)


def test_elapse_goes_to_the_next_deadline_and_puts_it_on_the_agenda() -> None:
    run = begin(dispatch(theatre(), HoldSeat("A1")))
    reminder, expiry = run.stack.deadlines
    step, run = elapse(run)
    assert isinstance(step, Elapsed)
    assert (step.now, step.commands) == (reminder.due_at, (reminder,))
    assert run.agenda.pending == (reminder,)
    assert list(run.stack.deadlines) == [expiry]
    steps, run = to_the_end(run)
    assert events(run.stack) == ["SeatHeld", "GuestReminded"]
    last = (
        run.stack.event_store[-1]
        if hasattr(run.stack.event_store, "__getitem__")
        else list(run.stack.event_store)[-1]
    )
    assert last.recorded_at == reminder.due_at
    assert last.causation_id == reminder.command_id
    assert last.correlation_id == reminder.correlation_id
    assert steps[0].depth == 0


def test_elapse_to_a_time_puts_all_that_is_due_on_the_agenda_in_order() -> None:
    run = begin(dispatch(dispatch(theatre(), HoldSeat("A1")), HoldSeat("A2")))
    step, run = elapse(run, START + timedelta(minutes=12))
    assert [each.command for each in step.commands] == [RemindGuest("A1"), RemindGuest("A2")]
    assert step.now == START + timedelta(minutes=12)
    step, run = elapse(run, timedelta(hours=1))
    assert [each.command for each in run.agenda.pending] == [
        RemindGuest("A1"), RemindGuest("A2"), ExpireHold("A1"), ExpireHold("A2"),
    ]  # fmt: skip
    assert not run.stack.deadlines


def test_a_deadline_that_is_past_already_moves_no_clock_back() -> None:
    stack = replace(dispatch(theatre(), HoldSeat("A1")), clock=ticking_clock("2026-02-01"))
    step, run = elapse(begin(stack))
    assert step.since == step.now == datetime(2026, 2, 1, tzinfo=UTC)
    assert [each.command for each in run.agenda.pending] == [RemindGuest("A1"), ExpireHold("A1")]


def test_stop_takes_the_deadlines_of_its_instance_off_and_the_step_says_which() -> None:
    stack = dispatch(dispatch(theatre(), HoldSeat("A1")), HoldSeat("A2"))
    steps, run = to_the_end(begin(stack, SellSeat("A1")))
    (stopped,) = [step for step in steps if isinstance(step, Stopped)]
    assert names(stopped.taken_off) == ["reminder", "ExpireHold"]
    assert {each.sender.id for each in run.stack.deadlines} == {"A2"}


def test_the_same_name_again_takes_the_place_of_the_deadline_before() -> None:
    stack = dispatch(theatre(), HoldSeat("A1"))
    _, before = stack.deadlines
    steps, run = to_the_end(begin(stack, ExtendHold("A1")))
    (continued,) = [step for step in steps if isinstance(step, Continued)]
    assert names(continued.taken_off) == ["reminder", "ExpireHold"]
    assert names(continued.deadlines) == names(run.stack.deadlines) == ["ExpireHold"]
    assert run.stack.deadlines[0].due_at > before.due_at
    assert not continued.not_there


def test_cancel_of_what_is_not_there_changes_nothing_and_is_told() -> None:
    run = begin(dispatch(theatre(), HoldSeat("A1")))
    _, run = elapse(run)
    _, run = to_the_end(run)  # the guest was reminded
    steps, run = to_the_end(run.submit(ExtendHold("A1")))
    (continued,) = [step for step in steps if isinstance(step, Continued)]
    assert continued.not_there == ("reminder",)


def test_what_is_due_and_pending_is_taken_off_the_agenda_when_its_instance_ends_first() -> None:
    run = begin(dispatch(theatre(), HoldSeat("A1")), SellSeat("A1"))
    _, run = elapse(run, timedelta(hours=1))
    assert [type(each.command) for each in run.agenda.pending] == [SellSeat, RemindGuest, ExpireHold]
    steps, run = to_the_end(run)
    (stopped,) = [step for step in steps if isinstance(step, Stopped)]
    assert names(stopped.taken_off) == ["reminder", "ExpireHold"]
    assert events(run.stack) == ["SeatHeld", "SeatSold"]


def test_what_is_taken_up_is_no_deadline_any_more() -> None:
    run = begin(dispatch(theatre(), HoldSeat("A1")))
    _, run = elapse(run, timedelta(minutes=11))
    steps, run = to_the_end(run)
    assert events(run.stack)[-1] == "GuestReminded"
    _, run = elapse(run)
    steps, run = to_the_end(run)
    (stopped,) = [step for step in steps if isinstance(step, Stopped)]
    assert stopped.taken_off == ()  # it ended by its own deadline
    assert events(run.stack)[-1] == "HoldExpired"


def test_a_pending_command_may_come_before_one_that_is_due() -> None:
    run = begin(dispatch(theatre(), HoldSeat("A1")), SellSeat("A1"))
    sell, reminder = choices(run)
    assert (sell.is_later(run), reminder.is_later(run)) == (False, True)
    step, run = advance(reminder.take(run))
    assert isinstance(step, Elapsed)
    assert run.agenda.pending[0].command == RemindGuest("A1")


def test_due_carries_out_what_is_due_each_with_what_it_causes() -> None:
    stack = dispatch(dispatch(theatre(), HoldSeat("A1")), HoldSeat("A2"))
    assert due(stack, START) is stack
    after = due(stack, START + timedelta(hours=1))
    assert events(after)[2:] == ["GuestReminded", "GuestReminded", "HoldExpired", "HoldExpired"]
    times = [each.recorded_at - START for each in after.event_store][2:]
    assert times == sorted(times)
    assert times[0] == REMINDED  # the clock jumps to when each is due
    assert times[2] == EXPIRED
    assert not after.deadlines


def test_a_command_that_a_deadline_sent_and_that_is_rejected_goes_to_handle_rejection() -> None:
    @dataclass(frozen=True)
    class Asking(Holding):
        asked: int = 0

        def handle_rejection(self, rejected: Rejected) -> Any:
            return After(timedelta(hours=1), ExpireHold(self.seat_id), name="once more")

    stack = replace(theatre(), process_manager_types=(Asking,))
    stack = dispatch(stack, HoldSeat("A1"))
    stack = replace(stack, aggregates={"Seat-A1": Seat("A1", "lost")}, aggregate_versions={"Seat-A1": 1})
    run = begin(stack)
    _, run = elapse(run)
    steps, run = to_the_end(run)
    (again,) = [step for step in steps if isinstance(step, Continued)]
    (deadline,) = again.deadlines
    # Nothing was recorded that the delay could count from: it counts from the rejection.
    assert deadline.due_at >= START + REMINDED + timedelta(hours=1)


def test_a_policy_sets_deadlines_too() -> None:
    @policy
    def remind_later(event: GuestReminded) -> After:
        return After(timedelta(days=1), RemindGuest(event.seat_id))

    stack = Stack(process_manager_types=(Holding, remind_later), clock=ticking_clock())
    run = begin(dispatch(stack, HoldSeat("A1")))
    _, run = elapse(run)
    _, run = to_the_end(run)
    assert names(run.stack.deadlines) == ["ExpireHold", "RemindGuest"]


def test_a_chain_of_deadlines_that_takes_no_time_ends_with_the_cycle_shown() -> None:
    @dataclass(frozen=True)
    class Nagging(Holding):
        def handle(self, event: Any) -> Any:
            return After(timedelta(0), RemindGuest(self.seat_id))

    stack = dispatch(replace(theatre(), process_manager_types=(Nagging,), cascade_limit=20), HoldSeat("A1"))
    with pytest.raises(EndlessCascade, match=r"Nagging → RemindGuest|RemindGuest → GuestReminded → Nagging"):
        due(stack, LATER)


def test_a_long_chain_of_deadlines_that_takes_time_is_no_cascade() -> None:
    @dataclass(frozen=True)
    class Daily(Holding):
        def handle(self, event: Any) -> Any:
            return After(timedelta(days=1), RemindGuest(self.seat_id))

    stack = replace(theatre(), process_manager_types=(Daily,), cascade_limit=5)
    run = begin(stack, HoldSeat("A1"))
    _, run = to_the_end(run)
    for _ in range(50):
        _, run = elapse(run)
        _, run = to_the_end(run)
    assert events(run.stack).count("GuestReminded") == 50
    after = due(dispatch(stack, HoldSeat("A1")), START + timedelta(days=50, hours=1))
    assert events(after).count("GuestReminded") == 50


def test_a_stack_with_deadlines_is_copied_and_compared() -> None:
    stack = dispatch(theatre(), HoldSeat("A1"))
    assert copy.deepcopy(stack) == stack
    assert Stack(deadlines=list(stack.deadlines)).deadlines == stack.deadlines
    _, run = elapse(begin(stack), timedelta(hours=1))
    copied = copy.deepcopy(run)
    assert to_the_end(copied)[1].stack == to_the_end(run)[1].stack


def test_a_deadline_is_found_by_its_index_its_name_and_its_id() -> None:
    deadlines = dispatch(theatre(), HoldSeat("A1")).deadlines
    reminder = deadlines[0]
    for which in (0, "reminder", reminder.command_id, reminder, reminder.command):
        assert deadlines.find(which) is reminder
    assert deadlines.of("Holding-A1") == tuple(deadlines)
    assert deadlines[0:1] == (reminder,)
    with pytest.raises(OutOfRange, match=r"'nothing' is not a deadline here. Set are 0: reminder"):
        deadlines.find("nothing")
    with pytest.raises(OutOfRange, match="at index 2"):
        deadlines.find(2)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: After(timedelta(-1), ExpireHold("1")), "lies in the past"),
        (lambda: After(3, ExpireHold("1")), r"After\(delay="),
        (lambda: After(timedelta(1), 3), "no command"),
        (lambda: After(timedelta(1), ExpireHold), "give an object"),
        (lambda: After(timedelta(1), [ExpireHold("1")]), "give one command"),
        (lambda: After(timedelta(1), After(timedelta(1), ExpireHold("1"))), "no command"),
        (lambda: After(timedelta(1), ExpireHold("1"), name=""), r"After\(name="),
        (lambda: At(NAIVE, ExpireHold("1")), "no time zone"),
        (lambda: At("2026-01-01", ExpireHold("1")), r"At\(time="),
        (lambda: Cancel(None), r"Cancel\(what="),
        (lambda: Cancel(""), r"Cancel\(what="),
        (lambda: Cancel(int), r"Cancel\(what="),
        (lambda: Cancel(ExpireHold("1")), "give the class"),
        (lambda: elapse(begin(theatre())), "no deadline is set"),
        (lambda: elapse(begin(theatre()), timedelta(-1)), "time does not go back"),
        (lambda: elapse(begin(theatre()), NAIVE), "no time zone"),
        (lambda: elapse(begin(theatre()), timedelta.max), "leave the years"),
        (lambda: elapse(begin(theatre()), "tomorrow"), "timedelta"),
        (lambda: elapse(advance(begin(theatre(), HoldSeat("1")))[1], LATER), "is in progress"),
        (lambda: due(theatre(), NAIVE), "no time zone"),
        (lambda: due(theatre(), "now"), r"due\(now="),
        (lambda: Stack(deadlines=[3]), "Deadlines"),
        (lambda: Stack(deadlines=[Pending(1, "a", "a")]), "Deadlines"),
    ],
)
def test_what_is_no_deadline_is_told(made: Any, told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        made()


def test_a_deadline_beyond_the_calendar_names_the_callback() -> None:
    @dataclass(frozen=True)
    class Patient(Holding):
        def handle(self, event: Any) -> Any:
            return After(timedelta.max, ExpireHold(self.seat_id))

    with pytest.raises(ModelError, match=r"Patient\.handle returned After.*after the year 9999"):
        dispatch(replace(theatre(), process_manager_types=(Patient,)), HoldSeat("A1"))


def test_a_handle_that_gives_a_wrong_delay_names_the_callback_and_loses_nothing() -> None:
    @dataclass(frozen=True)
    class Late(Holding):
        def handle(self, event: Any) -> Any:
            return After(timedelta(minutes=-1), ExpireHold(self.seat_id))

    with pytest.raises(ModelError, match=r"Late\.handle raised.*lies in the past") as caught:
        dispatch(replace(theatre(), process_manager_types=(Late,)), HoldSeat("A1"))
    assert events(caught.value.run.stack) == ["SeatHeld"]


def test_what_comes_after_an_instance_has_ended_is_ignored() -> None:
    run = begin(dispatch(theatre(), HoldSeat("A1")), ExtendHold("A1"))
    _, run = to_the_end(run)
    stack = replace(run.stack, process_managers={})  # it has ended elsewhere
    _, run = elapse(begin(stack))
    steps, run = to_the_end(run)
    assert [type(step) for step in steps if isinstance(step, (Ignored, Stopped))] == [Ignored]
    assert HoldExpired.__name__ in events(run.stack)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "off", "stop", "due"]),
            st.integers(0, 3),
            st.integers(0, 2),
            st.integers(0, 9),
        ),
        max_size=60,
    )
)
def test_deadlines_are_as_a_sorted_list_would_have_them(script: list[tuple[str, int, int, int]]) -> None:
    deadlines, plain = Deadlines(), []
    for number, (what, instance, name, minutes) in enumerate(script):
        sender, time = Identity(Holding, str(instance)), START + timedelta(minutes=minutes)
        stream_id, known = sender.stream_id, f"n{name}"
        if what == "due":
            found = deadlines.due(time)
            assert list(found) == [each for each in plain if each.due_at <= time]
            deadlines = deadlines.fallen_due(found)
            plain = plain[len(found) :]
            for each in found:
                deadlines = deadlines.taken_up(each)
            continue
        gone = None if what == "stop" else known
        waiting, pending, deadlines = deadlines.without(stream_id, gone)
        assert not pending
        expected = [d for d in plain if d.sender == sender and gone in (None, d.deadline)]
        assert sorted(waiting, key=lambda d: d.command_id) == sorted(expected, key=lambda d: d.command_id)
        plain = [d for d in plain if d not in expected]
        if what == "set":
            made = Pending(ExpireHold("1"), f"{number:03}", "c", sender=sender, due_at=time, deadline=known)
            deadlines = deadlines.set(made)
            plain = sorted([*plain, made], key=lambda d: (d.due_at, d.command_id))
        assert list(deadlines) == plain
        assert deadlines.first == (plain[0] if plain else None)
        assert deadlines.of(stream_id) == tuple(
            sorted([d for d in plain if d.sender == sender], key=lambda d: d.command_id)
        )
        assert copy.copy(deadlines) == deadlines


@pytest.mark.parametrize("most", [4, 128])
def test_many_deadlines_are_kept_in_order(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calamity_lab.kernel.deadlines._MOST", most)
    made = [
        Pending(
            ExpireHold(str(number)),
            str(number),
            "c",
            sender=Identity(Holding, str(number)),
            due_at=START + timedelta(minutes=number * 7_919 % 1_501),
            deadline="d",
        )
        for number in range(3_000)
    ]
    one_by_one = Deadlines()
    for each in made:
        one_by_one = one_by_one.set(each)
    expected = sorted(made, key=lambda each: each.due_at or START)
    for deadlines in (one_by_one, Deadlines(made)):
        assert list(deadlines) == expected
        for number in range(0, 3_000, 3):
            _, _, deadlines = deadlines.without(f"Holding-{number}")
        left = [each for each in expected if int(each.command_id) % 3]
        assert list(deadlines) == left
        for each in left:
            assert deadlines.first == each
            deadlines = deadlines.fallen_due([each])
        assert not deadlines
