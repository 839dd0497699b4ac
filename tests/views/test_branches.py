"""The branches as a tree: which are shown, where each leaves another one, and what each says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.examples.bank import DepositFunds, WithdrawFunds
from calamity_lab.trace.stepper import Stepper
from calamity_lab.views import branches as branches_module
from calamity_lab.views.branches import BranchTree, branch_tree
from tests.views.traces import stepper_of


def deposited() -> Stepper:
    stepper = stepper_of(DepositFunds("a", 5))
    stepper.resume()
    return stepper


def act(stepper: Stepper, at: int, amount: int) -> None:
    stepper.goto(at)
    stepper.submit(WithdrawFunds("a", amount))
    stepper.step_over()


def names(tree: BranchTree) -> list[str]:
    return [row.name for row in tree.rows]


def test_one_branch_has_no_rows() -> None:
    assert branch_tree(deposited().trace) == BranchTree()


def test_a_branch_is_a_line_from_where_it_left_to_its_end() -> None:
    stepper = deposited()
    act(stepper, 2, 1)
    main, other = branch_tree(stepper.trace).rows
    assert (main.name, main.start, main.end, main.above, main.current) == ("main", 0, 5, "", False)
    assert (other.name, other.start, other.above, other.current) == ("branch 1", 2, "main", True)
    assert other.end == stepper.trace.last == branch_tree(stepper.trace).last
    assert main.sentence == "main, the first branch, 5 steps"
    assert other.sentence == f"branch 1, left main at step 2, {other.end} steps"


def test_a_branch_that_grows_says_so_and_the_others_are_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stepper = deposited()
    act(stepper, 2, 1)
    before = branch_tree(stepper.trace)
    monkeypatch.setattr(branches_module, "_in_order", lambda branches: pytest.fail("all were read again"))
    stepper.submit(DepositFunds("a", 7))
    stepper.step_in()
    after = branch_tree(stepper.trace)
    assert (before.rows[0], before.rows[1].end + 1) == (after.rows[0], after.rows[1].end)
    assert f"{after.rows[1].end} steps" in after.rows[1].sentence


def test_of_many_branches_the_current_one_what_it_left_and_the_newest_are_shown() -> None:
    stepper = deposited()
    for amount in range(1, 7):
        stepper.switch("main")
        act(stepper, amount % 4, amount)
    stepper.switch("branch 2")
    tree = branch_tree(stepper.trace)
    assert (sorted(names(tree)), tree.more) == (["branch 2", "branch 6", "main"], 4)
    assert branch_tree(stepper.trace, limit=60).more == 0


def test_a_branch_of_a_folded_one_hangs_on_the_nearest_that_is_shown() -> None:
    stepper = deposited()
    for _ in range(4):
        act(stepper, stepper.trace.last - 1, 1)
    lone = branch_tree(stepper.trace, limit=1).rows[0]
    assert (lone.name, lone.start, lone.above) == ("branch 4", 0, "")
    stepper.switch("main")
    main, folded = branch_tree(stepper.trace, limit=2).rows
    assert (main.name, folded.name, folded.above) == ("main", "branch 4", "main")
    assert folded.start == stepper.trace.branches["branch 1"].forked_at
    assert "left branch 3" in folded.sentence


def test_what_a_replay_changed_is_said_where_the_name_does_not_say_it() -> None:
    trace = deposited().trace
    for name, said in (("without X", "without X, left main"), ("poor", "poor, without X, left main")):
        edited = replace(trace.fork(2, name).branch, edits="without X")
        assert branch_tree(trace.on(edited)).rows[1].sentence.startswith(said)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), max_size=12), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_every_line_begins_on_the_line_above_it_which_comes_before(
    acts: list[tuple[int, int]], limit: int
) -> None:
    stepper = deposited()
    for at, which in acts:
        known = list(stepper.trace.branches)
        stepper.switch(known[which % len(known)])
        act(stepper, min(at, stepper.trace.last), at + which)
    tree = branch_tree(stepper.trace, limit=limit)
    assert len(tree.rows) + tree.more == (len(stepper.trace.branches) if tree.rows else 0)
    seen: dict[str, tuple[int, int]] = {}
    for row in tree.rows:
        if row.above:
            start, end = seen[row.above]
            assert start <= row.start <= end
        seen[row.name] = (row.start, row.end)
    assert not tree.rows or [row.name for row in tree.rows if row.current] == [stepper.trace.branch.name]
