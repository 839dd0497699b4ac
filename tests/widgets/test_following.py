"""The process graph shows the instance picked out of the run, unless another was chosen there since."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.examples import fulfilment
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.widgets.view_widget import ViewWidget
from tests.widgets.front_end_stand_in import FrontEnd


@pytest.fixture
def page() -> FrontEnd:
    lab = Lab(fulfilment, ids=seeded_ids(1), clock=ticking_clock())
    lab.send(*fulfilment.story())
    lab.resume()
    return FrontEnd(ViewWidget(lab, "process_graph"))


def shows(page: FrontEnd) -> tuple[Any, Any]:
    graph = page.values["process_graph"]
    return graph["manager"], graph["chosen"]


def test_a_stream_that_is_picked_out_is_shown_with_its_process_manager(page: FrontEnd) -> None:
    assert shows(page) == ("OrderFulfilment", "1005")
    page.ask("select", stream_id="Replenishment-teapot")
    assert shows(page) == ("Replenishment", "teapot")
    page.ask("select")
    assert shows(page) == ("OrderFulfilment", "1005")


def test_a_step_of_an_instance_that_is_picked_out_is_followed_too(page: FrontEnd) -> None:
    page.ask("select", mark="step 73")
    assert shows(page) == ("OrderFulfilment", "1002")


def test_the_stream_of_an_aggregate_changes_nothing(page: FrontEnd) -> None:
    page.ask("select", stream_id="StockItem-teapot")
    assert shows(page) == ("OrderFulfilment", "1005")


def test_what_is_chosen_in_the_graph_holds_until_another_is_picked_out(page: FrontEnd) -> None:
    page.ask("select", stream_id="Replenishment-teapot")
    chosen = {"manager": "OrderFulfilment", "instance": None, "passed": "Replenishment-teapot"}
    page.ask("set_options", view="process_graph", **chosen)
    assert shows(page) == ("OrderFulfilment", "1005")
    page.ask("select", stream_id="OrderFulfilment-1002")
    assert shows(page) == ("OrderFulfilment", "1002")
