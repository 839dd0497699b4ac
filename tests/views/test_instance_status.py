"""How one process manager instance stands: what it did, what is on its way, and what it waits for in vain."""

from __future__ import annotations

import pytest

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import DepositFunds, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Appended
from calamity_lab.model import Model
from calamity_lab.trace.trace import Trace
from calamity_lab.views.process_graph import ProcessGraphView, process_graph
from tests.moments import after, before
from tests.views.sagas import Asking, Open, Patient, Polite, Withdraw, model_of
from tests.views.traces import stepper_of, story_of, trace_of

BANK = Model.find(bank)
SHOP = Model.find(fulfilment)


def nodes(graph: ProcessGraphView) -> dict[str, str]:
    """The statuses of the nodes, by name."""
    names = {node.key: node.name for node in graph.nodes}
    return {names[mark.key]: mark.status for mark in graph.marks if mark.key in names}


def edges(graph: ProcessGraphView) -> dict[tuple[str, ...], str]:
    """The statuses of the edges, by the names of their ends and their label."""
    names = {node.key: node.name for node in graph.nodes}
    keys = {
        f"{e.source} {e.target} {e.label}": (names[e.source], names[e.target], e.label) for e in graph.edges
    }
    return {keys[mark.key]: mark.status for mark in graph.marks if mark.key in keys}


def note(graph: ProcessGraphView, name: str) -> str:
    """The note at a node."""
    (key,) = [node.key for node in graph.nodes if node.name == name]
    return next(mark.note for mark in graph.marks if mark.key == key)


def test_a_transfer_halfway_shows_what_is_done_what_is_on_its_way_and_what_it_waits_for() -> None:
    trace = story_of(bank)
    graph = process_graph(trace, after(trace, "DepositFunds", 2), BANK)
    assert nodes(graph) == {
        "RequestTransfer": "done",
        "WithdrawFunds": "done",
        "DepositFunds": "in flight",
        "BankAccount": "done",
        "TransferInitiated": "done",
        "FundsWithdrawn": "done",
        "FundsDeposited": "waited for",
        "Transfer": "waiting",
    }
    assert edges(graph) == {
        ("RequestTransfer", "BankAccount", "to"): "done",
        ("WithdrawFunds", "BankAccount", "to"): "done",
        ("DepositFunds", "BankAccount", "to"): "in flight",
        ("BankAccount", "TransferInitiated", "records"): "done",
        ("BankAccount", "FundsWithdrawn", "records"): "done",
        ("BankAccount", "FundsDeposited", "records"): "waited for",
        ("TransferInitiated", "Transfer", "start"): "done",
        ("FundsWithdrawn", "Transfer", "continue"): "done",
        ("FundsDeposited", "Transfer", "stop"): "waited for",
        ("Transfer", "WithdrawFunds", "sends"): "done",
        ("Transfer", "DepositFunds", "sends"): "in flight",
    }
    assert (
        graph.sentence
        == "Transfer-rent: “funds withdrawn”, waits for FundsDeposited: DepositFunds is on its way"
    )


def test_a_rejected_command_and_what_was_sent_instead_have_different_marks() -> None:
    trace = story_of(bank)
    graph = process_graph(trace, after(trace, "Continued", -1), BANK)
    assert nodes(graph)["DepositFunds"] == nodes(graph)["BankAccount"] == "rejected"
    assert edges(graph)["DepositFunds", "BankAccount", "to"] == "rejected"
    assert edges(graph)["Transfer", "DepositFunds", "sends"] == "done"
    assert edges(graph)["Transfer", "RefundTransfer", "if rejected"] == "in flight"
    assert [mark.key for mark in graph.marks if mark.instead and " " not in mark.key.partition(":")[2]] == [
        "command:RefundTransfer"
    ]
    assert note(graph, "DepositFunds") == "sent at step 54, rejected: account closed"
    assert graph.sentence.endswith(
        "waits for FundsRefunded: RefundTransfer is on its way, sent because DepositFunds was rejected "
        "(account closed)"
    )


def test_an_instance_that_has_stopped_shows_its_whole_way_and_waits_for_nothing() -> None:
    trace = story_of(bank)
    graph = process_graph(trace, trace.last, BANK, instance="gift")
    assert set(nodes(graph).values()) == {"done", "rejected"}
    assert nodes(graph)["Transfer"] == "done"
    assert nodes(graph)["RefundTransfer"] == "done"
    assert graph.sentence == "Transfer-gift: stopped by FundsRefunded"


def test_each_instance_has_a_status_of_its_own() -> None:
    trace = story_of(bank)
    compensating = after(trace, "Continued", -1)
    for instance, status in {"rent": "done", "gift": "rejected"}.items():
        assert nodes(process_graph(trace, compensating, BANK, instance=instance))["DepositFunds"] == status
    assert process_graph(trace, 0, BANK).marks == ()


def test_how_often_counts_what_the_instance_did_and_not_what_others_did() -> None:
    trace = story_of(fulfilment)
    graph = process_graph(trace, before(trace, "PlaceOrder", 2), SHOP)
    times = {mark.key: mark.times for mark in graph.marks}
    assert (times["command:PickStock"], times["event:StockReserved"], times["command:ChargeCard"]) == (
        2,
        2,
        1,
    )


def test_a_wait_for_what_people_send_is_no_delay_and_tells_what_they_have_to_send() -> None:
    trace = story_of(fulfilment)
    graph = process_graph(trace, before(trace, "PlaceOrder", 2), SHOP)
    assert nodes(graph)["ParcelDelivered"] == "waited for"
    assert graph.sentence == (
        "OrderFulfilment-1001: “ON_THE_WAY”, waits for ParcelDelivered: a user has to send ConfirmDelivery; "
        "or for CourierAsked: AskCourier is due at 2026-01-08 00:00:06 UTC"
    )
    assert not graph.overdue


def test_the_sentence_says_the_wait_with_its_beginning_in_steps_and_in_time() -> None:
    trace = story_of(fulfilment)
    dispatched, cursor = after(trace, "ParcelDispatched") + 1, after(trace, "ReserveStock", 4)
    graph = process_graph(trace, cursor, SHOP, instance="1001")
    since = trace.index.events[trace.index.events_at(dispatched) - 1].recorded_at.timestamp()
    now = trace.index.events[trace.index.events_at(cursor) - 1].recorded_at.timestamp()
    assert (graph.since, graph.cursor, graph.then, graph.now) == (dispatched, cursor, since, now)


REJECTED = "Ask was rejected at step 8 (nobody is here)"
SILENT = "Ask was accepted at step 8 and did not lead to it"


@pytest.mark.parametrize(("desk", "why"), [("1-shut", REJECTED), ("1-deaf", SILENT)])
def test_an_event_is_overdue_once_the_command_sent_for_it_is_done_without_it(desk: str, why: str) -> None:
    trace, model = trace_of(Open(desk), managers=(Asking,)), model_of(Asking)
    seen = [process_graph(trace, cursor, model).overdue for cursor in range(len(trace))]
    assert seen == [False] * trace.last + [True]
    graph = process_graph(trace, trace.last, model)
    assert nodes(graph)["Answered"] == nodes(graph)["Asking"] == "overdue"
    assert edges(graph)["Answered", "Asking", "stop"] == "overdue"
    assert graph.sentence == (
        f"Asking-{desk}: “after Opened”, waits for Answered, which is overdue: "
        f"{why}, and nothing else leads to it"
    )


def test_an_event_is_overdue_when_the_command_for_it_is_taken_off_the_agenda() -> None:
    stepper, model = stepper_of(Open("1"), managers=(Asking,)), model_of(Asking)
    stepper.step_over()
    assert not process_graph(stepper.trace, stepper.cursor, model).overdue
    stepper.drop(0)
    graph = process_graph(stepper.trace, stepper.cursor, model)
    assert nodes(graph)["Ask"] == "dropped"
    assert "Ask was taken off the agenda" in graph.sentence
    assert graph.overdue


def test_what_was_sent_instead_is_waited_for_and_nothing_is_overdue() -> None:
    trace, model = trace_of(Open("1-shut"), managers=(Polite,)), model_of(Polite)
    assert not any(process_graph(trace, cursor, model).overdue for cursor in range(len(trace)))
    assert nodes(process_graph(trace, 12, model))["Apologised"] == "waited for"


def test_no_wait_is_overdue_while_something_of_its_cascade_is_pending_or_others_may_end_it() -> None:
    for domain, model in ((bank, BANK), (fulfilment, SHOP)):
        trace = story_of(domain)
        for manager in model.process_managers:
            graphs = [process_graph(trace, n, model, manager=manager.__name__) for n in range(len(trace))]
            assert not any(graph.overdue for graph in graphs)
    trace = trace_of(Open("1"), managers=(Patient,))
    graph = process_graph(trace, trace.last, model_of(Patient))
    assert not graph.overdue
    assert "a user has to send Ask or Withdraw" in graph.sentence


def test_an_instance_that_is_started_again_begins_anew() -> None:
    trace = trace_of(Open("1"), Open("1-shut"), Open("1"), managers=(Asking,))
    model = model_of(Asking)
    start = trace.index.reactions["Asking-1"][2]
    graph = process_graph(trace, start, model, instance="1")
    assert {mark.key: mark.times for mark in graph.marks}["event:Opened"] == 1
    assert nodes(graph)["Ask"] == "in flight"


def test_a_branch_shows_the_way_of_its_own() -> None:
    stepper = stepper_of(DepositFunds("a", 9), RequestTransfer("t", "a", "b", 1))
    stepper.resume()
    asked = next(n for n in stepper.trace.index.reactions["Transfer-t"])
    stepper.goto(asked)
    stepper.drop(0)
    graph = process_graph(stepper.trace, stepper.cursor, BANK)
    assert nodes(graph)["WithdrawFunds"] == "dropped"
    assert nodes(graph)["FundsWithdrawn"] == "waited for"  # its own command still runs
    stepper.resume()
    assert process_graph(stepper.trace, stepper.cursor, BANK).overdue
    stepper.switch("main")
    assert nodes(process_graph(stepper.trace, stepper.trace.last, BANK))["Transfer"] == "done"


def test_an_instance_that_a_history_started_waits_for_what_its_model_tells() -> None:
    history = InMemoryEventStore.of(story_of(bank).index.events[:6])
    trace = trace_of(DepositFunds("bob", 1), event_store=history)
    listed = process_graph(trace, trace.last, BANK)
    assert (listed.instances, listed.marks, listed.sentence) == ((), (), "")


def test_what_an_instance_sent_before_the_trace_began_is_on_its_way_and_then_done() -> None:
    stack = Stack(process_manager_types=(Transfer,), ids=seeded_ids(1), clock=ticking_clock())
    run = begin(stack, DepositFunds("a", 9), RequestTransfer("t", "a", "b", 1))
    while run.progress is not None or len(run.agenda) != 1 or run.agenda[0] != WithdrawFunds("a", 1, "t"):
        _, run = advance(run)
    trace = Trace.of(run)
    graph = process_graph(trace, 0, BANK)
    assert nodes(graph)["WithdrawFunds"] == "in flight"
    assert nodes(graph)["FundsWithdrawn"] == "waited for"
    assert graph.since is None
    run = trace[0].run  # it counts its steps from there
    while not run.idle:
        step, run = advance(run)
        trace = trace.append(step, run)
    assert nodes(process_graph(trace, trace.last, BANK))["WithdrawFunds"] == "done"


def test_of_an_instance_from_before_the_trace_nothing_is_claimed_to_be_overdue_or_never_sent() -> None:
    stack = Stack(process_managers={"Transfer-t": Transfer("t", "a", "b", 1, "initiated")})
    graph = process_graph(Trace.of(stack), 0, BANK)
    assert graph.sentence == (
        "Transfer-t: “initiated”, waits for FundsDeposited, FundsRefunded or one of 2 others"
    )
    assert not graph.overdue


def test_a_recorded_event_that_is_not_delivered_yet_is_named_as_coming() -> None:
    trace = story_of(bank)
    recorded = next(n for n in range(23, 40) if isinstance(trace[n].step, Appended))
    assert process_graph(trace, recorded, BANK).sentence.endswith("WithdrawFunds was just accepted")


def test_names_and_reasons_with_markup_are_kept_as_they_are() -> None:
    odd = "<b>1</b>-shut"
    trace = trace_of(Open(odd), Withdraw("2"), managers=(Asking,))
    graph = process_graph(trace, trace.last, model_of(Asking))
    assert graph.sentence.startswith(f"Asking-{odd}: ")
