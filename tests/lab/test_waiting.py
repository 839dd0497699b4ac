"""A lab in which time passes: waiting, the list of deadlines, breakpoints, replays, files and code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calamity_lab import ClockJump, Lab, begin, dispatch, elapse
from calamity_lab.errors import InvalidValue
from tests import holds
from tests.holds import ExtendHold, HoldSeat, SellSeat, theatre

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def lab() -> Lab:
    """A lab in which a seat is held, and nothing else is to be done."""
    lab = Lab(holds, stack=theatre())
    lab.send(HoldSeat("A1"))
    lab.resume()
    return lab


def names(lab: Lab) -> list[str]:
    return [each.event_type for each in lab.events]


def kinds(lab: Lab) -> list[str]:
    return [step.kind for step in lab.steps]


def test_a_wait_goes_to_the_next_deadline_and_carries_nothing_out(lab: Lab) -> None:
    moment = lab.wait()
    assert (
        str(moment) == "Step 7: 9 min 59 s passed, it is 2026-01-01 00:10:00 UTC: reminder of Holding-A1 due"
    )
    assert [type(each).__name__ for each in lab.agenda] == ["RemindGuest"]
    assert [each.deadline for each in lab.deadlines] == ["ExpireHold"]
    lab.step()
    assert names(lab) == ["SeatHeld", "GuestReminded"]


def test_a_wait_over_several_carries_each_out_when_it_is_due(lab: Lab) -> None:
    lab.wait(timedelta(hours=1))
    assert names(lab) == ["SeatHeld", "GuestReminded", "HoldExpired"]
    assert [each.recorded_at - START for each in lab.events][1:] == [holds.REMINDED, holds.EXPIRED]
    assert kinds(lab).count("Elapsed") == 3
    assert "nothing is due" in str(lab.moment)


def test_a_wait_carries_out_what_is_overdue_since_the_clock_jumped(lab: Lab) -> None:
    lab.inject(ClockJump(timedelta(hours=1)))
    lab.resume()
    lab.wait(timedelta(minutes=1))
    assert names(lab) == ["SeatHeld", "GuestReminded", "HoldExpired"]
    assert not lab.deadlines


def test_what_is_due_at_the_time_itself_is_on_the_agenda(lab: Lab) -> None:
    lab.wait(START + holds.EXPIRED)
    assert names(lab) == ["SeatHeld", "GuestReminded"]
    assert [type(each).__name__ for each in lab.agenda] == ["ExpireHold"]


def test_resume_waits_where_it_is_told_to(lab: Lab) -> None:
    lab.resume(wait=True)
    assert names(lab) == ["SeatHeld", "GuestReminded", "HoldExpired"]
    assert not lab.deadlines
    lab.restart()
    assert lab.resume(wait=True, limit=9).index == 9
    assert lab.resume(wait=True, until=lambda moment: moment.index == 11).index == 11


def test_a_chain_without_end_stops_at_the_limit() -> None:
    class Nagging(holds.Holding):
        def handle(self, event: Any) -> Any:
            return holds.After(timedelta(days=1), holds.RemindGuest(self.seat_id))

    lab = Lab(aggregates=[holds.Seat], process_managers=[Nagging])
    lab.send(HoldSeat("A1"))
    assert lab.resume(wait=True, limit=100).index == 100
    lab.resume()
    at = lab.cursor
    assert lab.wait(timedelta(days=10_000), limit=50).index == at + 50


def test_a_breakpoint_stops_where_a_deadline_is_due(lab: Lab) -> None:
    lab.break_on("deadline")
    assert lab.wait(timedelta(hours=1)).stopped == "Stopped at step 7: breakpoint on deadlines"
    assert lab.resume(wait=True).index > 7
    assert lab.reverse().index == 7


def test_waiting_in_the_past_begins_a_branch_and_doing_the_same_again_enters_it(lab: Lab) -> None:
    lab.wait()
    lab.resume()
    lab.goto(6)
    lab.wait(timedelta(minutes=1))
    assert lab.trace.branch.name == "branch 1"
    lab.goto(6)
    lab.wait(timedelta(minutes=1))
    assert len(lab.branches) == 2
    lab.switch("main")
    lab.goto(6)
    lab.wait()
    assert lab.trace.branch.name == "main"


def test_a_command_that_is_sent_before_time_has_passed_comes_before(lab: Lab) -> None:
    lab.wait()
    lab.resume()
    lab.goto(6)
    lab.send(SellSeat("A1"))
    lab.resume()
    assert names(lab) == ["SeatHeld", "SeatSold"]
    assert "Elapsed" not in kinds(lab)
    lab.switch("main")
    lab.goto(6)
    lab.fork("what if")
    assert lab.moment.run.idle
    lab.replay()
    assert "Elapsed" not in kinds(lab)


def test_a_replay_waits_again_and_decides_again(lab: Lab) -> None:
    lab.send(HoldSeat("B2"))
    lab.resume()
    lab.wait(timedelta(hours=1))
    lab.replay()
    assert names(lab)[2:] == ["GuestReminded"] * 2 + ["HoldExpired"] * 2
    replay = lab.replay(edit={1: SellSeat("A1")})
    assert names(lab) == ["SeatHeld", "SeatSold"]
    assert "HoldSeat" in str(replay)
    assert not lab.deadlines


def test_a_saved_run_waits_again(lab: Lab, tmp_path: Path) -> None:
    lab.wait(timedelta(minutes=12))
    lab.send(ExtendHold("A1"))
    lab.resume(wait=True)
    lab.save(tmp_path / "run.jsonl")
    loaded = Lab.load(tmp_path / "run.jsonl", holds)
    assert [moment.step for moment in loaded.trace] == [moment.step for moment in lab.trace]
    assert loaded.moment.stack == lab.moment.stack
    assert "nothing is different" in str(loaded.loaded)


def test_the_code_of_a_run_waits_too(lab: Lab) -> None:
    lab.wait()
    lab.wait(timedelta(minutes=1))
    code = lab.to_code()
    assert "lab.wait()\n" in code
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    assert namespace["lab"].moment.stack == lab.moment.stack


def test_the_list_of_deadlines_says_what_is_due_when_and_why(lab: Lab) -> None:
    text = repr(lab.deadlines)
    assert text.splitlines() == [
        "2 deadlines",
        "0  2026-01-01 00:10:00 UTC (in 9 min 59 s), reminder, RemindGuest(seat_id='A1'), "
        "SeatHeld #1 by Holding-A1",
        "1  2026-01-01 00:15:00 UTC (in 14 min 59 s), ExpireHold, ExpireHold(seat_id='A1'), "
        "SeatHeld #1 by Holding-A1",
    ]
    assert "<td" in lab.deadlines._repr_html_()
    frame = lab.deadlines.to_pandas()
    assert list(frame["deadline"]) == ["reminder", "ExpireHold"]
    assert frame["due_at"].dt.tz is not None
    assert Lab(holds).deadlines.to_pandas().empty
    assert lab.deadlines.of("Holding-A1") == tuple(lab.deadlines)


def test_what_cannot_be_waited_for_is_told_and_nothing_is_lost(lab: Lab) -> None:
    before = len(lab.trace)
    for asked, told in [
        (timedelta(-1), "time does not go back"),
        (START, "time does not go back"),
        (START.replace(tzinfo=None), "no time zone"),
        ("tomorrow", "timedelta"),
        (timedelta.max, "leave the years"),
    ]:
        with pytest.raises(InvalidValue, match=told):
            lab.wait(asked)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="no deadline is set"):
        Lab(holds).wait()
    assert len(lab.trace) == before
    lab.send(SellSeat("A1"))
    lab.step_in()
    with pytest.raises(InvalidValue, match="SellSeat is in progress"):
        lab.wait()
    assert len(lab.branches) == 1


def test_a_clock_of_the_machine_is_replaced_by_one_that_jumped() -> None:
    lab = Lab(holds)
    lab.send(HoldSeat("A1"))
    lab.resume()
    lab.wait(timedelta(days=3))
    assert names(lab) == ["SeatHeld", "GuestReminded", "HoldExpired"]
    first, *_, last = lab.events
    assert timedelta(minutes=14) < last.recorded_at - first.recorded_at < timedelta(minutes=16)


def started_with_deadlines() -> Lab:
    """A lab that begins with one deadline that waits, and one that is due and on the agenda."""
    run = begin(dispatch(theatre(), HoldSeat("A1")))
    _, run = elapse(run)
    return Lab(holds, stack=run)


def test_a_lab_that_began_with_deadlines_is_saved_with_them(tmp_path: Path) -> None:
    lab = started_with_deadlines()
    lab.resume(wait=True)
    lab.save(tmp_path / "run.jsonl")
    loaded = Lab.load(tmp_path / "run.jsonl", holds)
    assert loaded.trace[0].stack == lab.trace[0].stack
    assert [each.deadline for each in loaded.trace[0].stack.deadlines] == ["ExpireHold"]
    assert loaded.moment.stack == lab.moment.stack
    assert names(loaded) == ["SeatHeld", "GuestReminded", "HoldExpired"]


def test_no_code_makes_the_deadlines_again_with_which_a_lab_began() -> None:
    with pytest.raises(InvalidValue, match=r"pending commands or deadlines.*lab\.save"):
        Lab(holds, stack=dispatch(theatre(), HoldSeat("A1"))).to_code()


def test_a_lab_that_began_with_deadlines_is_reloaded_with_them() -> None:
    lab = started_with_deadlines()
    lab.send(SellSeat("A1"))
    lab.choose(-1)
    lab.resume()
    assert names(lab) == ["SeatHeld", "SeatSold"]  # what was due is withdrawn
    lab.reload()
    assert names(lab) == ["SeatHeld", "SeatSold"]
    assert not lab.agenda
    other = started_with_deadlines()
    other.reload()
    assert [each.deadline for each in other.deadlines] == ["ExpireHold"]


def test_a_comparison_names_deadlines_that_differ(lab: Lab) -> None:
    lab.fork("extended")
    lab.send(ExtendHold("A1"))
    lab.resume()
    found = lab.compare("main", "extended")
    text = str(found)
    assert "reminder" in text or "RemindGuest" in text
    rows = [row for row in found.to_pandas().to_dict("records") if "ExpireHold" in str(row)]
    assert rows
