"""The graph of causes: each command and event, and what led to what."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import networkx as nx
import pytest

from calamity_lab.errors import OutOfRange
from calamity_lab.figures import to_networkx
from calamity_lab.frames import History
from calamity_lab.views.tables import CauseEdge, CommandNode, EventNode, causes, causes_of_events
from tests.frames.histories import bank_day, bank_traffic, events_of, recorded, shop_week
from tests.moments import after
from tests.views.test_waits import waited


def names(graph: nx.MultiDiGraph, nodes: list[str]) -> list[str]:
    return [graph.nodes[node]["type"] for node in nodes]


def test_a_refund_can_be_followed_back_to_the_request_that_led_to_it() -> None:
    graph = to_networkx(bank_day())
    (refunded,) = [node for node, type_name in graph.nodes(data="type") if type_name == "FundsRefunded"]
    (root,) = [node for node in nx.ancestors(graph, refunded) if graph.in_degree(node) == 0]
    chain = nx.shortest_path(graph, root, refunded)
    assert names(graph, chain) == [
        "RequestTransfer",
        "TransferInitiated",
        "WithdrawFunds",
        "FundsWithdrawn",
        "RefundTransfer",
        "FundsRefunded",
    ]


def test_an_edge_from_an_event_to_a_command_names_the_process_manager() -> None:
    graph = to_networkx(bank_day())
    emitted = [known for *_, known in graph.edges(data=True) if known["relation"] == "emitted"]
    assert {known["process_manager"] for known in emitted} == {"Transfer-rent", "Transfer-gift"}
    caused = [known for *_, known in graph.edges(data=True) if known["relation"] == "caused"]
    assert caused
    assert all("process_manager" not in known for known in caused)


def test_a_deadline_is_an_edge_with_its_delay_and_its_command_waits_until_it_is_due() -> None:
    lab = waited()
    graph = to_networkx(lab.trace)
    found = [
        (graph.nodes[source]["type"], graph.nodes[target]["type"], known["process_manager"], known["delay"])
        for source, target, known in graph.edges(data=True)
        if known["relation"] == "deadline"
    ]
    assert found == [
        ("SeatHeld", "RemindGuest", "Holding-A1", 600.0),
        ("GuestReminded", "HoldSeat", "hold_again-policy", 86_400.0),
        ("HoldExtended", "ExpireHold", "Holding-A1", 900.0),
        ("SeatHeld", "RemindGuest", "Holding-A1", 600.0),
        ("SeatHeld", "ExpireHold", "Holding-A1", 900.0),
    ]
    waiting = [known for _, known in graph.nodes(data=True) if known.get("outcome") == "waiting"]
    assert [(known["type"], known["deadline"], known["due_at"]) for known in waiting] == [
        ("ExpireHold", "ExpireHold", "2026-01-01T01:25:04+00:00"),
        ("HoldSeat", "<b>again</b>", "2026-01-02T00:10:01+00:00"),
    ]
    types = {known["type"] for _, known in graph.nodes(data=True) if known["kind"] == "command"}
    assert types == {
        "HoldSeat",
        "ExtendHold",
        "SellSeat",
        "RemindGuest",
        "ExpireHold",
    }  # a wait is no command
    nx.write_graphml(graph, BytesIO())


def test_a_rejected_command_is_a_node_that_leads_nowhere() -> None:
    graph = to_networkx(bank_day())
    rejected = [node for node, known in graph.nodes(data=True) if known.get("outcome") == "rejected"]
    assert sorted(names(graph, rejected)) == ["DepositFunds", "RequestTransfer"]
    assert all(graph.out_degree(node) == 0 for node in rejected)


def test_only_what_is_true_at_the_cursor_is_in_the_graph() -> None:
    trace = bank_day()
    start, later = causes(trace, 0), causes(trace, after(trace, "DepositFunds", 2))
    assert {command.outcome for command in start.commands} == {"pending"}
    assert (len(start.commands), start.events, start.edges) == (10, (), ())
    assert [(c.type, c.outcome) for c in later.commands][:7] == [
        ("CreateAccount", "accepted"),
        ("CreateAccount", "accepted"),
        ("CreateAccount", "accepted"),
        ("DepositFunds", "accepted"),
        ("RequestTransfer", "accepted"),
        ("WithdrawFunds", "accepted"),
        ("DepositFunds", "in progress"),
    ]
    assert len(later.events) == 6


def test_every_edge_of_the_graph_has_both_its_ends() -> None:
    for trace in (bank_day(), shop_week(), bank_traffic(200)):
        for cursor in (0, trace.last // 2, trace.last):
            found = causes(trace, cursor)
            known = {node.id for node in (*found.commands, *found.events)}
            assert all({edge.source, edge.target} <= known for edge in found.edges)
            graph = found.to_networkx()
            assert len(graph) == len(known)
            assert graph.number_of_edges() == len(found.edges)
            assert nx.is_directed_acyclic_graph(graph)


def test_all_that_one_submitted_command_caused_hangs_together() -> None:
    trace = shop_week()
    graph = to_networkx(trace)
    families = list(nx.weakly_connected_components(graph))
    roots = [node for node, known in graph.nodes(data=True) if known.get("origin") == "submitted"]
    assert len(families) == len(roots) == 10
    correlations = {event.event_id: event.correlation_id for event in events_of(trace)}
    for family in families:
        assert len({correlations[node] for node in family if node in correlations}) == 1


def test_events_alone_tell_their_commands_and_who_sent_those() -> None:
    found = causes_of_events(events_of(bank_day())[4:6])
    initiated, withdrawn = events_of(bank_day())[4:6]
    assert found.commands == (
        CommandNode(initiated.causation_id or "", "RequestTransfer", "submitted", None, "accepted"),
        CommandNode(withdrawn.causation_id or "", "WithdrawFunds", "sent", "Transfer-rent", "accepted"),
    )
    assert found.events[0] == EventNode(initiated.event_id, "TransferInitiated", "BankAccount-alice", 3, 5)
    assert found.edges == (
        CauseEdge(initiated.causation_id or "", initiated.event_id, "caused"),
        CauseEdge(withdrawn.causation_id or "", withdrawn.event_id, "caused"),
    )
    assert nx.utils.graphs_equal(
        History(events_of(bank_day())).to_networkx(), to_networkx(events_of(bank_day()))
    )


def test_an_event_without_a_cause_stands_alone() -> None:
    (event,) = recorded(object())
    graph = to_networkx([replace(event, causation_id=None)])
    assert list(graph.nodes(data="kind")) == [("e1", "event")]


def test_an_event_that_another_store_names_as_a_cause_stays_an_event() -> None:
    first, second, third = recorded(object(), object(), object())
    events = [
        replace(third, causation_id=second.event_id),
        replace(second, causation_id=first.event_id),
        first,
    ]
    graph = to_networkx(events)
    assert {node: kind for node, kind in graph.nodes(data="kind") if kind == "event"}.keys() == {
        "e1",
        "e2",
        "e3",
    }
    assert [known for _, known in graph.nodes(data=True) if "origin" in known] == [
        {"kind": "command", "type": "DoThing", "origin": "submitted", "outcome": "accepted"}
    ]
    assert nx.shortest_path(graph, first.causation_id, "e3") == [first.causation_id, "e1", "e2", "e3"]


def test_the_graph_can_be_written_as_graphml() -> None:
    lines = "\n".join(nx.generate_graphml(to_networkx(bank_day(), 30)))
    assert "TransferInitiated" in lines


def test_a_moment_that_is_not_there_is_out_of_range() -> None:
    with pytest.raises(OutOfRange):
        to_networkx(bank_day(), 1000)
