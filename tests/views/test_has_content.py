"""A view without content has no tab until there is something to show."""

from __future__ import annotations

from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.model import Model
from calamity_lab.views.controls import has_content
from calamity_lab.widgets.options import TABS


def there(lab: Lab) -> list[str]:
    return [view for view in TABS if has_content(view, lab.trace, lab.model)]


def test_an_empty_lab_has_its_state_and_what_its_process_managers_could_do() -> None:
    assert there(Lab(bank)) == ["state", "process_graph"]


def test_a_model_without_process_managers_has_no_process_graph() -> None:
    lab = Lab(aggregates=[BankAccount], commands=[DepositFunds])
    assert there(lab) == ["state"]
    lab.send(DepositFunds("a", 5))
    lab.step()
    assert there(lab) == ["state", "log", "sequence"]


def test_a_dispatched_command_has_a_sequence_before_it_has_events() -> None:
    lab = Lab(bank)
    lab.send(DepositFunds("a", 5))
    assert there(lab) == ["state", "process_graph", "exploring"]
    lab.step_in()
    assert there(lab) == ["state", "log", "process_graph", "sequence", "exploring"]


def test_what_has_come_stays_when_the_cursor_goes_back() -> None:
    lab = Lab(bank)
    lab.send(DepositFunds("a", 5))
    lab.step()
    lab.restart()
    assert there(lab) == [tab for tab in TABS if tab != "comparison"]


def test_a_history_is_matter_enough() -> None:
    lab = Lab(bank)
    lab.send(DepositFunds("a", 5))
    lab.step()
    history = Stack(event_store=lab.stack.event_store)
    assert there(Lab(bank, stack=history)) == ["state", "log", "process_graph", "sequence"]


def test_a_command_in_progress_when_the_trace_began_has_a_sequence() -> None:
    _, run = advance(begin(Stack(), DepositFunds("a", 5)))
    assert "sequence" in there(Lab(bank, stack=run))


def test_a_view_that_is_not_known_here_is_always_there() -> None:
    assert has_content("a later view", Lab(bank).trace, Model.find(bank))
