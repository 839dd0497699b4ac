"""A fault in every view: it is shown as injected, and what came of it leads back to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank
from calamity_lab.examples.bank import CreateAccount, DepositFunds, FundsWithdrawn, RequestTransfer
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.faults import ClockJump, ConcurrentWriter, Crash, Lose, Redeliver
from calamity_lab.kernel.steps import Step
from calamity_lab.lab import Lab
from calamity_lab.trace.selection import Selection
from calamity_lab.views.agenda import agenda, fault_of
from calamity_lab.views.arrows import cause_of
from calamity_lab.views.chart import Charts, Mark
from calamity_lab.views.controls import controls
from calamity_lab.views.details import actions_on
from calamity_lab.views.lanes import Lanes
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.search import search_results
from calamity_lab.views.selected import selected
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.views.tables import causes

NAMES = ["ClockJump", "ConcurrentWriter", "Crash", "Lose", "Redeliver"]


@pytest.fixture(scope="module")
def lab() -> Lab:
    """A transfer in which everything goes wrong."""
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(CreateAccount("a"), CreateAccount("b"), DepositFunds("a", 100))
    lab.resume()
    lab.send(RequestTransfer("t", "a", "b", 60), DepositFunds("a", 1))
    lab.inject(ClockJump(timedelta(hours=-1)))
    lab.inject(ConcurrentWriter("BankAccount-a", FundsWithdrawn("a", 10)))
    lab.inject(Crash())
    lab.inject(Redeliver(FundsWithdrawn))
    lab.inject(Lose(DepositFunds))
    lab.resume()
    return lab


def injected(lab: Lab) -> Iterator[tuple[str, Step]]:
    return ((type(step.fault).__name__, step) for step in lab.steps if step.is_injected)  # type: ignore[attr-defined]


def test_every_view_can_be_drawn_at_every_moment(lab: Lab) -> None:
    assert [name for name, _ in injected(lab)] == NAMES
    for moment in range(len(lab.trace)):
        for view in (controls, agenda, state, sequence):
            assert view(lab.trace, moment)
        assert process_graph(lab.trace, moment, lab.model)


def test_the_foot_and_the_table_of_steps_say_what_went_wrong(lab: Lab) -> None:
    said = {name: controls(lab.trace, step.index) for name, step in injected(lab)}
    assert {view.tone for view in said.values()} == {"conflict"}
    facts = [view.sentence.partition(": Injected: ")[2] for view in said.values()]
    assert facts == [
        "the clock jumped back by 1:00:00",
        "another writer recorded FundsWithdrawn in BankAccount-a at position 4",
        "the process crashed and recovered, 1 submitted command lost",
        "DepositFunds of Transfer-t was lost on its way",
        "FundsWithdrawn #6 reaches the process managers a second time",
    ]
    table = lab.steps.to_pandas()
    assert list(table[table.kind == "Injected"].fact) == [f"Injected: {fact}" for fact in facts]


def test_the_lanes_have_a_mark_for_it_and_the_sequence_a_line(lab: Lab) -> None:
    marks = [mark for mark in Lanes(Charts().of(lab.trace)).marks() if mark.kind == "injected"]
    assert [(mark.label, mark.moment) for mark in marks] == [
        (name, step.index) for name, step in injected(lab)
    ]
    lines = [each for each in sequence(lab.trace, lab.cursor).messages if each.kind == "injected"]
    assert [line.label for line in lines] == [f"{name} injected" for name in NAMES[1:]]
    assert "Redeliver injected" in lab.to_mermaid()


def test_a_search_finds_it_and_leads_to_its_moment(lab: Lab) -> None:
    steps = dict(injected(lab))
    for name in NAMES:
        found = search_results(lab.trace, lab.cursor, query=name)
        assert [(hit.kind, hit.label, hit.moment) for hit in found.hits if hit.kind == "fault"] == [
            ("fault", name, steps[name].index)
        ]
        assert [(row.kind, row.moment) for row in lab.find(name)] == [("fault", steps[name].index)]
    before = search_results(lab.trace, 0, query="lost on its way")
    assert (before.total, before.after and before.after.moment) == (1, steps["Lose"].index)
    lab.goto(steps["Lose"].index - 1)
    lab.fork("before it was lost")
    assert search_results(lab.trace, lab.cursor, query="lost on its way").total == 0
    lab.switch("main")


def test_what_came_of_it_leads_back_to_it(lab: Lab) -> None:
    def chain(mark: Mark | None) -> list[str]:
        found = []
        while mark is not None:
            found.append(selected(lab.trace, _selection(lab, mark)).title.partition(" at step")[0])
            mark = cause_of(lab.trace, mark)
        return found

    last = len(lab.events)
    assert chain(Mark("event", last)) == [
        "FundsDeposited #7",
        "DepositFunds dispatched",
        "Transfer-t continued",
        "Redeliver injected",
        "FundsWithdrawn #6",
        "WithdrawFunds dispatched",
        "Transfer-t started",
        "TransferInitiated #5",
        "RequestTransfer dispatched",
    ]
    assert chain(Mark("event", 4)) == ["FundsWithdrawn #4", "ConcurrentWriter injected"]
    nodes = {node.id: (node.type, node.origin) for node in causes(lab.trace).commands}
    assert nodes[lab.events[3].causation_id] == ("ConcurrentWriter", "injected")


def _selection(lab: Lab, mark: Mark) -> Selection:
    if mark.kind == "event":
        return Selection(position=lab.events[mark.number - 1].position)
    return Selection(moment=mark.number)


def test_the_agenda_lists_what_is_armed_and_what_can_be_injected() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(
        CreateAccount("a"), CreateAccount("b"), DepositFunds("a", 100), RequestTransfer("t", "a", "b", 60)
    )
    assert [each.label for each in agenda(lab.trace, 0).faults] == [
        "Crash",
        "Another writer first: CreateAccount",
        "Clock 1 hour ahead",
        "Clock 1 day ahead",
        "Clock 1 hour back",
    ]
    lab.resume(until=lambda moment: bool(moment.step and moment.step.commands))
    lab.step_in()
    offers = {each.label: each.arguments for each in agenda(lab.trace, lab.cursor).faults}
    assert [*offers][1:4] == [
        "Another writer first: WithdrawFunds",
        "Lose: WithdrawFunds",
        "Hand on again: TransferInitiated #4",
    ]
    for label, fault in (
        ("Crash", Crash()),
        (
            "Another writer first: WithdrawFunds",
            ConcurrentWriter("BankAccount-a", FundsWithdrawn("a", 60, "t")),
        ),
        ("Lose: WithdrawFunds", Lose(lab.agenda.pending[0])),
        ("Hand on again: TransferInitiated #4", Redeliver(lab.events[3])),
        ("Clock 1 hour back", ClockJump(timedelta(hours=-1))),
    ):
        assert fault_of(lab.trace, lab.cursor, offers[label]) == fault
    lab.inject(Lose(DepositFunds))
    (armed,) = agenda(lab.trace, lab.cursor).armed
    assert (armed.fault, armed.waits_for) == (
        "Lose(DepositFunds)",
        "the next DepositFunds that a process manager sends",
    )
    with pytest.raises(InvalidValue, match="There is no such fault"):
        fault_of(lab.trace, lab.cursor, {"fault": "fire"})
    with pytest.raises(InvalidValue, match="There is no event at position 99"):
        fault_of(lab.trace, lab.cursor, {"fault": "redeliver", "position": 99})


def test_another_writer_cannot_come_first_with_a_command_that_is_rejected() -> None:
    lab = Lab(bank)
    lab.send(RequestTransfer("t", "a", "b", 60))
    offer = agenda(lab.trace, 0).faults[1]
    with pytest.raises(InvalidValue, match="RequestTransfer is rejected: insufficient funds"):
        fault_of(lab.trace, 0, offer.arguments)


def test_an_event_and_a_pending_command_have_their_faults_as_actions() -> None:
    lab = Lab(bank)
    lab.send(DepositFunds("a", 100), RequestTransfer("t", "a", "b", 60))
    lab.step()
    lab.step()

    def offered() -> list[str]:
        actions = actions_on(lab.trace, lab.stepper.selection)
        return [each.label for each in actions if each.verb == "inject"]

    lab.select(2)
    assert offered() == ["Hand on again", "Another writer here"]
    lab.select(lab.agenda.pending[0])
    assert offered() == ["Another writer first", "Lose"]
