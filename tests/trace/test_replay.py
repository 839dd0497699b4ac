"""Replays: the inputs of a branch are decided again, and what differs is told."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import InvalidValue, OutOfRange
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import (
    CloseAccount,
    CreateAccount,
    DepositFunds,
    RequestTransfer,
    WithdrawFunds,
)
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.faults import ClockJump, ConcurrentWriter, Crash, Fault, Lose, Redeliver
from calamity_lab.lab.lab import Lab


def bank_lab() -> Lab:
    return Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)


def told_bank() -> Lab:
    lab = bank_lab()
    lab.send(*bank.story())
    lab.resume()
    return lab


def outcomes(replay: Any) -> dict[tuple[Any, str, int], str]:
    return {(row.number, type(row.command).__name__, row.depth): row.outcome for row in replay}


def some_fault(lab: Lab, random: Random) -> Fault:
    """A fault that may fit: about something that has happened, or that is pending, where there is any."""
    recorded, sent = list(lab.events), [each for each in lab.agenda.pending if each.sender is not None]
    others = [each for each in recorded if each.metadata.get("fault") is None][-3:]
    faults: list[Fault] = [
        Crash(),
        ClockJump(timedelta(hours=random.randint(1, 5)) * random.choice([1, -1])),
        Lose(random.choice(lab.model.commands)),
        Redeliver(random.choice(lab.model.events)),
        *[Lose(each) for each in sent],
        *[Redeliver(each) for each in recorded[-3:]],
        *[ConcurrentWriter(each.stream_id, each.event) for each in others],
    ]
    return random.choice(faults)


def wander(lab: Lab, commands: list[Any], random: Random) -> None:
    """Send, step, choose, drop, inject faults, go back and act there: whatever a person may do."""
    waiting = list(commands)
    while waiting or lab.agenda:
        act = random.random()
        if waiting and (act < 0.3 or not lab.agenda):
            lab.send(*[waiting.pop(0) for _ in range(min(len(waiting), random.randint(1, 3)))])
        elif act < 0.4 and len(lab.agenda) > 1:
            lab.choose(random.randrange(len(lab.agenda)))
        elif act < 0.45 and lab.agenda:
            lab.drop(random.randrange(len(lab.agenda)))
        elif act < 0.5 and lab.cursor > 3:
            lab.goto(random.randrange(lab.cursor))
        elif act < 0.58:
            lab.inject(some_fault(lab, random))
        elif act < 0.6 and lab.faults:
            lab.take_back(random.randrange(len(lab.faults)))
        elif act < 0.7:
            lab.step_in() if not lab.stepper.at_end else None
        elif not lab.stepper.at_end:
            lab.step()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_a_replay_without_edits_gives_the_same_history_to_the_byte(seed: int) -> None:
    random = Random(seed)
    module, commands = random.choice(
        [
            (bank, list(bank.random_commands(12, seed=seed, accounts=3))),
            (fulfilment, list(fulfilment.story())[:6]),
        ]
    )
    lab = Lab(module, ids=seeded_ids(seed), clock=ticking_clock(), checked=False)
    wander(lab, commands, random)
    lab.goto(-1)
    before = lab.trace.branch
    replay = lab.replay()
    assert list(lab.history) == list(before.index.events)
    assert [repr(moment) for moment in lab.trace] == [repr(moment) for moment in before.moments]
    assert list(lab.agenda) == list(before.moments[-1].agenda)
    assert {row.outcome for row in replay} <= {"same"}
    assert (replay.first_difference, replay.unplayed, replay.differences) == (None, (), ())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_a_replay_never_changes_its_parent_and_ends_where_the_same_run_by_hand_ends(seed: int) -> None:
    random = Random(seed)
    commands = list(bank.random_commands(10, seed=seed, accounts=2))
    lab = bank_lab()
    lab.send(*commands)
    lab.resume()
    parent = lab.trace.branch
    moments, inputs = list(parent.moments), list(parent.inputs)
    gone = random.randrange(len(commands))
    lab.replay(without=gone)
    by_hand = bank_lab()
    by_hand.send(*[command for number, command in enumerate(commands) if number != gone])
    by_hand.resume()
    assert dict(lab.aggregates) == dict(by_hand.aggregates)
    assert dict(lab.process_managers) == dict(by_hand.process_managers)
    assert [each.event for each in lab.history] == [each.event for each in by_hand.history]
    assert list(parent.moments) == moments
    assert list(parent.inputs) == inputs
    assert lab.branches[parent.name] is parent


def test_leaving_out_a_command_decides_everything_after_it_again() -> None:
    lab = told_bank()
    replay = lab.replay(without=3)  # the deposit that paid for everything
    assert outcomes(replay) == {
        (0, "CreateAccount", 0): "same",
        (1, "CreateAccount", 0): "same",
        (2, "CreateAccount", 0): "same",
        (3, "DepositFunds", 0): "gone",
        (4, "RequestTransfer", 0): "rejected",
        (4, "WithdrawFunds", 1): "gone",
        (4, "DepositFunds", 2): "gone",
        (5, "RequestTransfer", 0): "changed",
        (6, "RenameAccount", 0): "same",
        (7, "CloseAccount", 0): "same",
        (8, "RequestTransfer", 0): "rejected",
        (8, "WithdrawFunds", 1): "gone",
        (8, "DepositFunds", 2): "gone",
        (8, "RefundTransfer", 3): "gone",
        (9, "WithdrawFunds", 0): "rejected",
    }
    assert replay.sentence == (
        "9 commands replayed on 'without DepositFunds'; the first difference is at step "
        f"{replay.first_difference}: RequestTransfer is now rejected"
    )
    assert lab.trace[replay.first_difference].step.rejected.reason == "insufficient funds"
    assert lab.aggregates["BankAccount-bob"].balance == 0


def test_what_comes_before_the_first_edit_is_shared_and_not_decided_again() -> None:
    lab = bank_lab()
    lab.send(CreateAccount("alice", "Alice"))
    lab.resume()
    lab.send(DepositFunds("alice", 50))
    lab.resume()
    before = lab.trace
    lab.replay(edit={1: {"amount": 70}}, name="more")
    assert lab.trace[4].step is before[4].step
    assert (lab.trace.branch.parent, lab.trace.branch.name) == ("main", "more")
    assert lab.aggregates["BankAccount-alice"].balance == 70
    lab.switch("main")
    assert lab.aggregates["BankAccount-alice"].balance == 50


def test_an_edit_names_a_number_or_the_command_itself() -> None:
    lab = told_bank()
    deposit = lab.submitted[3].command
    lab.replay(edit={deposit: {"amount": 1}})
    assert lab.submitted[3].command == DepositFunds("alice", 1)
    lab.switch("main")
    lab.replay(edit={3: WithdrawFunds("alice", 1)})
    assert lab.submitted[3].command == WithdrawFunds("alice", 1)


def test_a_command_is_moved_to_the_place_of_another_one() -> None:
    lab = told_bank()
    closing, renaming, gift = lab.submitted[7].command, lab.submitted[6].command, lab.submitted[8].command
    replay = lab.replay(move={7: 8})
    assert [each.command for each in lab.submitted][6:9] == [renaming, gift, closing]
    assert outcomes(replay)[8, "DepositFunds", 2] == "accepted"
    assert outcomes(replay)[8, "RefundTransfer", 3] == "gone"
    lab.switch("main")
    lab.replay(move={8: 6})
    assert [each.command for each in lab.submitted][6:9] == [gift, renaming, closing]


def test_commands_are_inserted_before_a_number_and_at_the_end() -> None:
    lab = told_bank()
    count = len(lab.submitted)
    replay = lab.replay(
        insert={8: [CloseAccount("bob"), DepositFunds("bob", 1)], count: DepositFunds("bob", 2)}
    )
    sent = [each.command for each in lab.submitted]
    assert sent[8:10] == [CloseAccount("bob"), DepositFunds("bob", 1)]
    assert sent[-1] == DepositFunds("bob", 2)
    assert [row.outcome for row in replay if row.number is None] == ["new"] * 3


def test_a_replay_goes_as_far_as_the_branch_went() -> None:
    lab = bank_lab()
    lab.send(CreateAccount("a", "A"), DepositFunds("a", 10), WithdrawFunds("a", 5))
    lab.step()
    lab.step()
    lab.replay(edit={1: {"amount": 20}})
    assert lab.aggregates["BankAccount-a"].balance == 20
    assert [type(command).__name__ for command in lab.agenda] == ["WithdrawFunds"]


def test_a_choice_is_made_again_for_the_command_that_corresponds() -> None:
    lab = bank_lab()
    lab.send(CreateAccount("a", "A"), CreateAccount("b", "B"), DepositFunds("a", 100))
    lab.resume()
    lab.send(RequestTransfer("t", "a", "b", 60))
    lab.step()
    lab.send(WithdrawFunds("a", 50))
    lab.choose(1)  # before the withdrawal of the transfer
    lab.resume()
    assert lab.aggregates["BankAccount-a"].balance == 50
    replay = lab.replay(insert={0: CreateAccount("c", "C")})  # so all ids are others
    assert replay.unplayed == ()
    assert lab.aggregates["BankAccount-a"].balance == 50
    assert {row.outcome for row in replay if row.number is not None} == {"same"}


def test_an_input_whose_command_is_gone_is_told_and_the_rest_is_replayed() -> None:
    lab = bank_lab()
    lab.send(CreateAccount("a", "A"), DepositFunds("a", 10), DepositFunds("a", 5))
    lab.choose(2)
    lab.resume()
    replay = lab.replay(without=2)
    assert replay.unplayed == ("chose DepositFunds: this command was not sent",)
    assert lab.aggregates["BankAccount-a"].balance == 10


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"without": 99}, "there is no submitted command 99; there are 0 to 9"),
        ({"without": [1, -1]}, "replay(without"),
        ({"edit": {4: {"amunt": 5}}}, "RequestTransfer has no field 'amunt'; it has: transfer_id"),
        ({"edit": 4}, "give a dict, as in {3: ...}"),
        ({"move": {1: "a"}}, "'a' was not submitted"),
        ({"insert": {0: DepositFunds}}, "found the class DepositFunds"),
        ({"insert": {0: "text"}}, "'text'"),
        ({"name": "main"}, "the name 'main' is taken"),
        ({"name": ""}, "a text of 1 to 100 characters"),
        ({"name": "x" * 1_000_000}, "a text of 1 to 100 characters"),
        ({"name": 7}, "a branch's name"),
    ],
)
def test_an_edit_that_makes_no_sense_is_told_and_changes_nothing(edits: dict[str, Any], said: str) -> None:
    lab = told_bank()
    before = lab.trace
    with pytest.raises(Exception) as caught:
        lab.replay(**edits)
    assert said in str(caught.value)
    assert lab.trace is before


def test_a_command_that_was_submitted_twice_is_named_by_its_number() -> None:
    lab = bank_lab()
    lab.send(DepositFunds("a", 1), DepositFunds("a", 1))
    with pytest.raises(InvalidValue, match="was submitted as numbers 0, 1; give its number"):
        lab.replay(without=DepositFunds("a", 1))


def test_branches_are_forked_renamed_and_removed_and_nothing_that_is_looked_at_is_lost() -> None:
    lab = told_bank()
    lab.goto(20)
    lab.fork("earlier")
    assert (lab.cursor, len(lab.trace) - 1, lab.trace.branch.parent) == (20, 20, "main")
    lab.send(DepositFunds("bob", 1))
    lab.step()
    lab.goto(10)
    lab.send(DepositFunds("bob", 2))
    child = lab.trace.branch
    assert (child.parent, child.forked_at) == ("main", 10), "main made the step at which it left"
    lab.switch("earlier")
    lab.goto(21)
    lab.send(DepositFunds("bob", 3))
    child = lab.trace.branch
    assert (child.parent, child.forked_at) == ("earlier", 21)
    lab.rename("earlier", "what if")
    assert list(lab.branches) == ["main", "what if", "branch 2", child.name]
    assert lab.branches[child.name].parent == "what if"
    lab.remove("what if")
    assert lab.branches[child.name].parent == "main"
    with pytest.raises(InvalidValue, match="this branch is looked at"):
        lab.remove(child.name)
    with pytest.raises(InvalidValue, match="there is no branch 'nowhere'"):
        lab.switch("nowhere")
    with pytest.raises(KeyError, match="there are: main"):
        lab.branches["nowhere"]
    with pytest.raises(OutOfRange):
        lab.goto(500)


def test_doing_again_what_a_branch_did_enters_this_branch() -> None:
    lab = told_bank()
    for _ in range(3):
        lab.switch("main")
        lab.goto(20)
        lab.send(DepositFunds("bob", 1))
        lab.resume()
    assert len(lab.branches) == 2
    lab.switch("main")
    lab.goto(20)
    lab.send(DepositFunds("bob", 2))
    assert len(lab.branches) == 3


def test_nothing_can_be_inserted_where_nothing_was_submitted() -> None:
    lab = bank_lab()
    with pytest.raises(InvalidValue, match="there is no submitted command 0; none was submitted"):
        lab.replay(insert={0: DepositFunds("a", 1)})
    assert list(lab.branches) == ["main"]
    assert lab.replay().sentence == "0 commands replayed on 'branch 1'; no difference"


def test_a_replay_is_named_for_its_edits_and_each_name_is_another_one() -> None:
    lab = told_bank()
    for edits in (
        {"without": 3},
        {"without": 3},
        {"without": [3, 4, 5]},
        {"edit": {3: {"amount": 5}}},
        {"insert": {3: DepositFunds("bob", 1)}, "move": {7: 6}},
    ):
        lab.switch("main")
        lab.replay(**edits)
    assert list(lab.branches) == [
        "main",
        "without DepositFunds",
        "without DepositFunds 2",
        "without 3 commands",
        "DepositFunds changed",
        "CloseAccount moved, with DepositFunds",
    ]
    lab.rename("DepositFunds changed", "poor Alice")
    assert lab.branches["poor Alice"].edits == "DepositFunds changed"


def test_a_branch_keeps_what_it_was_edited_for_when_it_is_left_and_its_forks_have_no_edits() -> None:
    lab = told_bank()
    lab.replay(without=3)
    lab.goto(10)
    lab.fork("on")
    assert [lab.branches[name].edits for name in lab.branches] == ["", "without DepositFunds", ""]
