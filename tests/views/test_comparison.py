"""The comparison of two branches as a view: which two, what differs, and when it is worked out."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.trace.compare import compare
from calamity_lab.views import comparison as view_module
from calamity_lab.views.chart import Mark
from calamity_lab.views.comparison import MOST_ROWS, ComparedLanes, ComparisonView, comparison
from calamity_lab.views.controls import has_content
from calamity_lab.widgets.view_widget import ViewWidget
from tests.widgets.front_end_stand_in import FrontEnd


def edited_bank() -> Lab:
    """A lab that looks at a branch on which a deposit was smaller."""
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*bank.story())
    lab.resume()
    lab.replay(edit={3: {"amount": 70}}, name="poor")
    return lab


def seen(lab: Lab, **options: Any) -> ComparisonView:
    return comparison(lab.trace, lab.cursor, **options)


def test_what_differs_is_told_by_kind_with_what_each_branch_has() -> None:
    lab = edited_bank()
    view = seen(lab)
    assert (view.a, view.b, view.current, view.parted) == (
        "main",
        "poor",
        "poor",
        lab.compare("main").diverged_at,
    )
    assert view.sentence == (
        f"'main' and 'poor' part after step {view.parted}; 8 events, 10 commands, 2 fields differ"
    )
    assert [(part.part, part.title) for part in view.parts] == [
        ("event", "8 events differ, 5 are the same"),
        ("state", "2 fields differ at the end"),
        ("command", "10 commands differ, 5 are the same"),
    ]
    changed, gone = view.parts[0].rows[:2]
    assert (changed.subject, changed.a, changed.b) == ("FundsDeposited", "amount=10000", "amount=70")
    assert (gone.status, gone.b, gone.moment_b) == ("only in a", "", None)
    assert gone.moment_a is not None
    step = lab.branches["main"].moments[gone.moment_a].step
    assert step is not None
    assert step.recorded[0].event_type == "TransferInitiated"
    balance = view.parts[1].rows[0]
    assert (balance.stream_id, balance.subject, balance.a, balance.b) == (
        "BankAccount-alice",
        "balance",
        "4000",
        "70",
    )


def test_a_branch_is_compared_with_the_one_that_it_left_unless_others_are_chosen() -> None:
    lab = edited_bank()
    lab.fork("later")
    assert (seen(lab).a, seen(lab).b) == ("poor", "later")
    lab.switch("main")
    assert (seen(lab).a, seen(lab).b) == ("main", "later")
    chosen = seen(lab, a="poor", b="main")
    assert (chosen.a, chosen.b, chosen.current) == ("poor", "main", "main")
    assert (seen(lab, a="poor").a, seen(lab, a="poor").b) == ("poor", "main")
    lab.remove("poor")
    assert (seen(lab, a="poor", b="main").a, seen(lab, a="poor", b="main").b) == ("main", "later")


def lanes_of(lab: Lab, **options: Any) -> ComparedLanes:
    lanes = seen(lab, **options).lanes
    assert lanes is not None
    return lanes


def test_an_event_of_both_branches_is_at_one_point_and_one_of_a_single_branch_leaves_a_gap() -> None:
    lanes = lanes_of(edited_bank())
    names = [lane.stream_id for lane in lanes.streams]
    assert names[:3] == ["BankAccount-alice", "BankAccount-bob", "BankAccount-carol"]
    renamed = [mark for mark in lanes.marks if mark.label == "AccountRenamed"]
    assert [(mark.side, mark.mark, mark.status) for mark in renamed] == [
        ("a", Mark("event", 8), "same"),
        ("b", Mark("event", 5), "same"),
    ]
    assert renamed[0].x == renamed[1].x == 8
    paid = [mark for mark in lanes.marks if mark.label == "FundsDeposited" and mark.row == 0]
    assert [(mark.side, mark.status, mark.words) for mark in paid] == [
        (
            side,
            "changed",
            f"{name}: FundsDeposited in BankAccount-alice, step 18, changed: amount: 10000 → 70",
        )
        for side, name in (("a", "main"), ("b", "poor"))
    ]
    only, gap = [mark for mark in lanes.marks if mark.label == "FundsDeposited" and mark.row == 1]
    assert (only.side, only.status, gap.side, gap.status) == ("a", "only here", "b", "not here")
    assert (gap.x, gap.mark) == (only.x, None)
    assert gap.words == "poor: no FundsDeposited in BankAccount-bob here"


def test_the_lanes_begin_a_little_before_the_branches_part_and_say_what_is_folded() -> None:
    lanes = lanes_of(edited_bank())
    assert (lanes.first, lanes.folded, lanes.same_streams, lanes.more_events) == (1, 1, 0, 0)
    before = [mark for mark in lanes.marks if mark.x < lanes.parted]
    assert {mark.status for mark in before} == {"same"}
    assert {mark.label for mark in before} == {"AccountCreated"}
    assert all(lanes.first < mark.x <= lanes.last for mark in lanes.marks)


def test_of_many_streams_and_events_some_are_in_the_lanes_and_the_others_are_counted() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*(bank.DepositFunds(f"{n}", 1) for n in range(60)))
    lab.resume()
    lab.replay(edit={n: {"amount": 2} for n in range(0, 60, 2)})
    lanes = lanes_of(lab)
    assert (len(lanes.streams), lanes.more_streams, lanes.more_events) == (MOST_ROWS, 12, 10)
    assert lanes.same_streams == 40
    assert {mark.status for mark in lanes.marks} == {"changed"}


def test_events_in_another_order_keep_their_order_on_each_branch() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*(bank.DepositFunds(name, 1) for name in "abc"))
    lab.resume()
    lab.replay(move={2: 0})
    assert "changed: in another order" in str(lanes_of(lab).marks)
    for side in ("a", "b"):
        own = [
            mark for mark in lanes_of(lab).marks if mark.side == side and mark.mark and mark.kind == "event"
        ]
        assert [mark.moment for mark in own] == sorted(mark.moment for mark in own)
        assert len({mark.x for mark in own}) == len(own)


def test_branches_that_never_part_have_no_lanes() -> None:
    lab = edited_bank()
    assert seen(lab, a="main", b="main").lanes is None
    lab.fork("again")
    assert seen(lab, a="poor", b="again").lanes is None


def test_of_many_differences_the_first_are_shown_and_all_are_counted() -> None:
    view = seen(edited_bank(), limit=3)
    assert [(len(part.rows), part.total) for part in view.parts] == [(3, 8), (2, 2), (3, 10)]


def test_there_is_something_to_compare_as_soon_as_there_are_two_branches() -> None:
    lab = Lab(bank)
    assert not has_content("comparison", lab.trace, lab.model)
    lab.fork("what if")
    assert has_content("comparison", lab.trace, lab.model)
    lab.remove("main")
    view = seen(lab)
    assert (view.a, view.b, view.parts, view.parted) == ("what if", "what if", (), None)


def test_branches_are_compared_while_the_tab_is_shown_and_once_for_all_moments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times: list[Any] = []

    def counted(*given: Any) -> Any:
        times.append(given)
        return compare(*given)

    monkeypatch.setattr(view_module, "compare", counted)
    lab = edited_bank()
    page = FrontEnd(ViewWidget(lab))
    page.ask("step_back")
    assert not times
    patch = page.ask("set_options", view="tabs", shown="comparison")
    assert patch["comparison"]["parted"] == lab.compare("main").diverged_at
    for moment in (3, 4, 5):
        assert "comparison" not in page.ask("goto", moment=moment)
    assert len(times) == 1
    page.ask("set_options", view="comparison", a="poor", b="main")
    assert page.values["comparison"]["a"] == "poor"
