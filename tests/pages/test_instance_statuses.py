"""A page knows how every instance stands at every moment, and asks only those something happened to."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.views.process_graph import process_graph, status_of
from calamity_lab.widgets.page import page, recording
from calamity_lab.widgets.page.recording import StatusRecorder
from calamity_lab.widgets.patches import plain
from tests import holds
from tests.pages.carried import carried, shown


def checked(lab: Lab, run: dict[str, Any], *, every: int) -> int:
    """How many statuses were compared with what Python says; every so many moments."""
    compared = 0
    for moment, parts in list(zip(run["moments"], shown(run), strict=True))[::every]:
        for manager in (each.__name__ for each in lab.model.process_managers):
            for instance in process_graph(lab.trace, moment, lab.model, manager=manager).instances:
                expected = status_of(lab.trace, moment, lab.model, manager, instance)
                assert parts[f"status {instance.lane}"] == plain(expected), (moment, instance)
                compared += 1
    return compared


@pytest.mark.parametrize("model", [bank, fulfilment])
def test_every_listed_instance_stands_on_a_page_as_python_says(model: ModuleType) -> None:
    lab = Lab(model, clock=ticking_clock())
    lab.send(*model.story())
    lab.resume()
    assert checked(lab, carried(page(lab)), every=2) > 20


def test_a_command_that_was_taken_off_the_agenda_is_in_the_status_from_then_on() -> None:
    lab = Lab(bank, clock=ticking_clock())
    lab.send(bank.DepositFunds("a", 9), bank.RequestTransfer("t", "a", "b", 1), bank.RenameAccount("a", "A"))
    lab.step()
    lab.step()
    lab.choose(1)
    lab.step()
    lab.drop(0)
    lab.resume()
    assert checked(lab, carried(page(lab)), every=1)


def test_a_deadline_that_is_due_is_in_the_status_from_the_wait_on() -> None:
    lab = Lab(holds, clock=ticking_clock())
    lab.send(holds.HoldSeat("a"))
    lab.resume(wait=True)
    assert checked(lab, carried(page(lab)), every=1)


def test_of_a_thinned_run_the_kept_moments_tell_what_happened_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "MOST_MOMENTS", 300)
    monkeypatch.setattr(recording, "THINNED", 40)
    lab = Lab(bank, clock=ticking_clock())
    lab.send(*bank.random_commands(120))
    lab.resume()
    run = carried(page(lab))
    assert len(run["moments"]) < 60
    assert checked(lab, run, every=3) > 100


def test_an_instance_to_which_nothing_happens_is_written_once() -> None:
    lab = Lab(bank, clock=ticking_clock())
    lab.send(bank.DepositFunds("a", 9), *[bank.RequestTransfer(each, "a", "b", 1) for each in "tu"])
    lab.resume()
    done = lab.cursor
    lab.send(*[bank.DepositFunds("a", 1) for _ in range(20)])
    lab.resume()
    statuses = StatusRecorder(lab.trace, lab.model)
    graphs = [process_graph(lab.trace, moment, lab.model) for moment in range(len(lab.trace))]
    changed = [moment for moment, graph in enumerate(graphs) if list(statuses.changed(graph))]
    assert changed
    assert max(changed) <= done
