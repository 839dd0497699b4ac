"""The process graph shows what is possible, what has happened, and what an instance waits for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from random import Random

import pytest

from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import DepositFunds, RequestTransfer, Transfer
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.model import Model
from calamity_lab.views.instances import MOST
from calamity_lab.views.process_graph import EVERYTHING, Edge, ProcessGraphView, process_graph
from calamity_lab.views.scenes import RANKS, layout
from tests.moments import after, before
from tests.views.traces import stepper_of, story_of, trace_of

BANK = Model.find(bank)
SHOP = Model.find(fulfilment)


def counts(graph: ProcessGraphView) -> dict[str, int]:
    return {node.name: node.count for node in graph.nodes}


def marked(graph: ProcessGraphView, mark: str) -> set[str]:
    return {node.name for node in graph.nodes if getattr(node, mark)}


def test_before_anything_happened_all_is_possible_and_nothing_has_happened() -> None:
    graph = process_graph(stepper_of().trace, 0, BANK)
    assert (graph.managers, graph.manager, graph.instances, graph.chosen) == (
        ("Transfer",),
        "Transfer",
        (),
        None,
    )
    assert set(counts(graph)) == {
        "CancelTransfer", "DepositFunds", "RefundTransfer", "RequestTransfer", "WithdrawFunds", "BankAccount",
        "FundsDeposited", "FundsRefunded", "FundsWithdrawn", "TransferCancelled", "TransferInitiated",
        "Transfer",
    }  # fmt: skip
    assert {edge.count for edge in graph.edges} == {0}


def test_what_has_happened_is_counted_up_to_the_cursor() -> None:
    trace = story_of(bank)
    edges = {
        (edge.source, edge.target, edge.label): edge.count
        for edge in process_graph(trace, after(trace, "Continued", -1), BANK).edges
    }
    assert edges["event:FundsWithdrawn", "process manager:Transfer", "continue"] == 2
    assert edges["event:FundsDeposited", "process manager:Transfer", "stop"] == 1
    assert edges["process manager:Transfer", "command:RefundTransfer", "if rejected"] == 1
    assert edges["event:FundsRefunded", "process manager:Transfer", "stop"] == 0
    assert process_graph(trace, trace.last, BANK).edges[5] == Edge(
        "aggregate:BankAccount", "event:FundsDeposited", "records", 2
    )


def test_counts_are_those_of_a_walk_over_all_steps_at_every_moment() -> None:
    trace = story_of(fulfilment)
    for cursor in [*range(len(trace)), *range(trace.last, 0, -11)]:
        graph = process_graph(trace, cursor, SHOP, manager=EVERYTHING)
        walked: dict[str, int] = {}
        for recorded in trace.index.events[: trace.index.events_at(cursor)]:
            walked[recorded.event_type] = walked.get(recorded.event_type, 0) + 1
        assert {n.name: n.count for n in graph.nodes if n.kind == "event" and n.count} == walked


def test_a_branch_counts_only_its_own_past() -> None:
    stepper = stepper_of(
        DepositFunds("a", 9), RequestTransfer("t", "a", "b", 1), RequestTransfer("u", "a", "b", 1)
    )
    stepper.resume()
    end = stepper.cursor
    stepper.goto(fork := before(stepper, "RequestTransfer"))
    stepper.submit(RequestTransfer("v", "a", "b", 1))
    assert counts(process_graph(stepper.trace, fork, BANK))["RequestTransfer"] == 0
    stepper.resume()
    assert counts(process_graph(stepper.trace, stepper.cursor, BANK))["RequestTransfer"] == 3
    stepper.switch("main")
    assert counts(process_graph(stepper.trace, end, BANK))["RequestTransfer"] == 2


def test_events_from_before_the_trace_are_counted() -> None:
    history = trace_of(DepositFunds("a", 5), DepositFunds("a", 5))
    trace = trace_of(DepositFunds("a", 1), event_store=history[history.last].stack.event_store)
    assert counts(process_graph(trace, 0, BANK))["FundsDeposited"] == 2
    assert counts(process_graph(trace, trace.last, BANK))["FundsDeposited"] == 3


def test_the_nodes_that_the_moment_is_about_are_marked() -> None:
    trace = story_of(bank)
    marks = {cursor: marked(process_graph(trace, cursor, BANK), "current") for cursor in (0, 20, 22, 23, 36)}
    assert marks == {
        0: set(),
        20: {"RequestTransfer", "BankAccount"},
        22: {"RequestTransfer", "BankAccount", "TransferInitiated"},
        23: {"TransferInitiated", "Transfer", "WithdrawFunds"},
        36: {"RequestTransfer", "BankAccount"},
    }


def test_the_instances_are_listed_with_their_stage_the_newest_first() -> None:
    trace = story_of(bank)
    graph = process_graph(trace, trace.last, BANK)
    assert [(each.id, each.stage, each.status, each.started) for each in graph.instances] == [
        ("gift", "stopped by FundsRefunded", "stopped", 49),
        ("rent", "stopped by FundsDeposited", "stopped", 23),
    ]
    trace = story_of(fulfilment)
    (order,) = process_graph(trace, before(trace, "PlaceOrder", 2), SHOP).instances
    assert (order.stage, order.status) == ("ON_THE_WAY", "waiting")


def test_a_graph_tells_the_instances_that_the_step_is_about() -> None:
    trace = story_of(bank)
    about = {cursor: process_graph(trace, cursor, BANK).about for cursor in (0, 20, 23, 27)}
    assert about == {0: (), 20: (), 23: ("Transfer-rent",), 27: ("Transfer-rent",)}


@pytest.mark.parametrize("wanted", ["rent", "Transfer-rent"])
def test_an_instance_can_be_chosen(wanted: str) -> None:
    trace = story_of(bank)
    assert process_graph(trace, after(trace, "Continued", -1), BANK, instance=wanted).chosen == "rent"


def test_an_instance_that_is_not_there_yet_gives_way_to_one_that_is() -> None:
    trace = story_of(bank)
    assert process_graph(trace, after(trace, "Started"), BANK, instance="gift").chosen == "rent"
    assert process_graph(trace, 0, BANK, instance="gift").chosen is None


def test_the_newest_instances_are_listed_and_the_chosen_one_with_them() -> None:
    transfers = [RequestTransfer(f"t{n}", "a", "b", 1) for n in range(MOST + 10)]
    trace = trace_of(DepositFunds("a", 500), *transfers)
    found = process_graph(trace, trace.last, BANK).instances
    assert [each.id for each in found] == [f"t{n}" for n in range(MOST + 9, 9, -1)]
    graph = process_graph(trace, trace.last, BANK, instance="t3")
    assert (graph.chosen, graph.instances[-1].id, len(graph.instances)) == ("t3", "t3", MOST + 1)


def test_an_instance_that_a_history_started_is_listed_once_it_is_met() -> None:
    history = InMemoryEventStore.of(story_of(bank).index.events[:6])
    trace = trace_of(DepositFunds("bob", 60_00, "rent"), event_store=history)
    assert process_graph(trace, 0, BANK).instances == ()
    (rent,) = process_graph(trace, trace.last, BANK).instances
    assert (rent.stream_id, rent.status, rent.started) == ("Transfer-rent", "stopped", trace.last - 1)


def test_stepping_moves_no_node() -> None:
    trace = story_of(fulfilment)
    for manager in (*process_graph(trace, 0, SHOP).managers, EVERYTHING):
        places = {
            tuple(
                (node.key, node.x, node.y)
                for node in process_graph(trace, cursor, SHOP, manager=manager).nodes
            )
            for cursor in range(0, len(trace), 5)
        }
        assert len(places) == 1


def test_without_process_managers_commands_aggregates_and_events_are_shown() -> None:
    model = Model.of([bank.BankAccount, bank.DepositFunds, bank.FundsDeposited])
    graph = process_graph(trace_of(DepositFunds("a", 1), managers=()), 5, model)
    assert (graph.managers, graph.manager) == ((), EVERYTHING)
    assert {node.kind for node in graph.nodes} == {"command", "aggregate", "event"}
    assert counts(graph)["FundsDeposited"] == 1


def test_what_was_observed_supplements_what_was_found_possible() -> None:
    nothing_known = Model(process_managers=(Transfer,))
    trace = story_of(bank)
    graph = process_graph(trace, trace.last, nothing_known)
    assert Edge("process manager:Transfer", "command:WithdrawFunds", "sends", 2) in graph.edges
    assert counts(graph)["TransferInitiated"] == 2


def test_an_unknown_manager_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(InvalidValue, match="It has Transfer"):
        process_graph(story_of(bank), 0, BANK, manager="Nobody")


def test_a_message_named_by_markup_is_shown_by_that_name() -> None:
    odd = type("<b>Odd</b>", (DepositFunds,), {"__slots__": ()})
    trace = trace_of(odd("a", 1))
    graph = process_graph(trace, trace.last, BANK, manager=EVERYTHING)
    assert "<b>Odd</b>" in counts(graph)


def arrows(*pairs: str) -> tuple[tuple[str, str], ...]:
    return tuple((a, b) for a, b in (pair.split() for pair in pairs))


def test_layers_go_from_commands_to_managers_and_arrows_back_do_not_count() -> None:
    nodes = (("c", "command"), ("a", "aggregate"), ("e", "event"), ("m", "process manager"))
    places = layout(nodes, arrows("c a", "a e", "e m", "m c"))
    assert [places[key][0] for key in "caem"] == [0.125, 0.375, 0.625, 0.875]


def test_a_chain_without_a_circle_goes_on_to_the_right() -> None:
    nodes = (
        ("c", "command"), ("a", "aggregate"), ("e", "event"), ("m", "process manager"),
        ("c2", "command"), ("a2", "aggregate"),
    )  # fmt: skip
    places = layout(nodes, arrows("c a", "a e", "e m", "m c2", "c2 a2"))
    xs = [places[key][0] for key in ("c", "a", "e", "m", "c2", "a2")]
    assert xs == sorted(xs)
    assert len(set(xs)) == 6


def crossings(places: dict[str, tuple[float, float]], pairs: Iterable[tuple[str, str]]) -> int:
    lines = [(places[a][1], places[b][1]) for a, b in pairs]
    return sum((a - c) * (b - d) < 0 for a, b in lines for c, d in lines) // 2


def test_nodes_of_a_layer_are_ordered_so_that_arrows_cross_less() -> None:
    nodes = (*((f"c{n}", "command") for n in range(6)), *((f"a{n}", "aggregate") for n in range(6)))
    pairs = arrows(*[f"c{n} a{5 - n}" for n in range(6)])
    assert crossings(layout(nodes, pairs), pairs) == 0


def test_every_place_lies_within_the_picture_and_no_two_are_the_same() -> None:
    graph = process_graph(story_of(fulfilment), 0, SHOP, manager=EVERYTHING)
    places = [(node.x, node.y) for node in graph.nodes]
    assert all(0 < x < 1 and 0 < y < 1 for x, y in places)
    assert len(set(places)) == len(places)
    assert {node.kind for node in graph.nodes} == set(RANKS)


def test_an_empty_graph_has_an_empty_layout() -> None:
    assert layout((), ()) == {}


def made_up(seed: int) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Three process managers, a dozen events and as many commands, of which anything may lead to anything."""
    chance = Random(seed)
    names = {"command": 12, "aggregate": 4, "event": 12, "process manager": 3}
    keys = {kind: [f"{kind} {n}" for n in range(count)] for kind, count in names.items()}
    pairs = [(each, chance.choice(keys["aggregate"])) for each in keys["command"]]
    pairs += [(chance.choice(keys["aggregate"]), each) for each in keys["event"]]
    pairs += [(each, chance.choice(keys["process manager"])) for each in keys["event"]]
    pairs += [(chance.choice(keys["process manager"]), each) for each in keys["command"][2:]]
    return tuple((key, kind) for kind, group in keys.items() for key in group), tuple(pairs)


@pytest.mark.parametrize("seed", range(12))
def test_no_two_neighbours_of_a_layer_would_cross_less_the_other_way_round(seed: int) -> None:
    nodes, pairs = made_up(seed)
    places = layout(nodes, pairs)
    forward = [(a, b) for a, b in pairs if places[a][0] < places[b][0]]
    fewest = crossings_by_layer(places, forward)
    for x in {place[0] for place in places.values()}:
        layer = sorted((key for key in places if places[key][0] == x), key=lambda key: places[key][1])
        for one, other in pairwise(layer):
            swapped = places | {one: places[other], other: places[one]}
            assert crossings_by_layer(swapped, forward) >= fewest


def crossings_by_layer(places: dict[str, tuple[float, float]], pairs: Iterable[tuple[str, str]]) -> int:
    """How many arrows between the same two layers cross."""
    between: dict[tuple[float, float], list[tuple[str, str]]] = {}
    for a, b in pairs:
        between.setdefault((places[a][0], places[b][0]), []).append((a, b))
    return sum(crossings(places, group) for group in between.values())


def test_no_arrows_of_the_shop_cross() -> None:
    for manager in (*process_graph(story_of(fulfilment), 0, SHOP).managers, EVERYTHING):
        graph = process_graph(story_of(fulfilment), 0, SHOP, manager=manager)
        places = {node.key: (node.x, node.y) for node in graph.nodes}
        forward = [(e.source, e.target) for e in graph.edges if places[e.source][0] < places[e.target][0]]
        assert crossings_by_layer(places, forward) == 0


def test_another_branch_moves_no_node_where_it_brings_nothing_new() -> None:
    stepper = stepper_of(DepositFunds("a", 9), RequestTransfer("t", "a", "b", 1))
    stepper.resume()

    def placed() -> list[tuple[str, float, float]]:
        graph = process_graph(stepper.trace, stepper.cursor, BANK)
        return [(node.key, node.x, node.y) for node in graph.nodes]

    at_first = placed()
    stepper.goto(before(stepper, "TransferInitiated"))
    stepper.submit(RequestTransfer("u", "a", "nowhere", 100))
    assert placed() == at_first
    stepper.switch("main")
    assert placed() == at_first
