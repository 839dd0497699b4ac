"""The magics, in a real IPython shell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from calamity_lab import Lab
from calamity_lab.errors import InvalidModel

MODEL = """
from dataclasses import dataclass, replace
from calamity_lab import Rejected, command

@dataclass(frozen=True)
class Deposited:
    account_id: str
    amount: int

@command(to="Account", by="account_id")
@dataclass(frozen=True)
class Deposit:
    account_id: str
    amount: int

@dataclass(frozen=True)
class Account:
    account_id: str
    balance: int = 0

    @classmethod
    def new(cls, account_id):
        return cls(account_id)

    def execute(self, command):
        match command:
            case Deposit(amount=amount) if amount <= 0:
                raise Rejected("amounts are positive", amount=amount)
            case Deposit():
                return Deposited(self.account_id, command.amount)

    def apply(self, event):
        match event:
            case Deposited(amount=amount):
                return replace(self, balance=self.balance + amount)

@dataclass(frozen=True)
class Odd:
    note: str
"""


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    module = ModuleType("notebook_under_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    shell = InteractiveShell(user_module=module, user_ns=vars(module))
    shell.run_line_magic("load_ext", "calamity_lab")
    run(shell, MODEL)
    yield shell
    shell.history_manager.end_session()


def run(shell: Any, source: str) -> Any:
    result = shell.run_cell(source)
    result.raise_error()
    return result.result


def test_lab_finds_the_model_of_the_notebook_and_tells_what_it_found(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%lab")
    shown = capsys.readouterr().out
    assert "aggregates: Account" in shown
    assert "commands: Deposit" in shown
    assert "events: Deposited" in shown
    assert "unused: Odd (no class of the model refers to it)" in shown
    assert isinstance(shell.user_ns["lab"], Lab)


def test_the_magics_send_and_step(shell: Any) -> None:
    run(shell, "%lab")
    assert len(run(shell, "%send Deposit('1', 50)")) == 1
    assert run(shell, "%step_in").index == 1
    assert run(shell, "%step").rests
    assert run(shell, "%step_back 2").index == run(shell, "lab.cursor")
    assert run(shell, "%resume").run.idle
    assert run(shell, "%restart").index == 0
    assert run(shell, "%goto 3").index == 3
    run(shell, "%send [Deposit('1', 1), Deposit('2', 2)]")
    run(shell, "%step 2")
    assert run(shell, "%step_out").run.idle


def test_step_over_is_step(shell: Any) -> None:
    run(shell, "%lab\nlab.send(Deposit('1', 50), Deposit('1', 7))")
    over = run(shell, "%step_over")
    assert run(shell, "%restart\n%step") == over
    assert run(shell, "lab.aggregates['Account-1'].balance") == 50


def test_a_lab_may_have_another_name(shell: Any) -> None:
    run(shell, "%lab bench")
    run(shell, "%send Deposit('1', 50)")
    run(shell, "%step")
    assert run(shell, "bench.aggregates['Account-1'].balance") == 50


def test_a_lab_may_have_its_own_seed_and_clock(shell: Any) -> None:
    def recorded(line: str) -> tuple[str, str]:
        run(shell, line)
        run(shell, "%send Deposit('1', 50)")
        run(shell, "%step")
        event = run(shell, "lab.events[0]")
        return event.event_id, event.recorded_at.isoformat()

    first = recorded("%lab --seed 1 --clock 2026-01-01")
    assert first[1] == "2026-01-01T00:00:00+00:00"
    assert recorded("%lab --seed 1 --clock 2026-01-01") == first
    assert recorded("%lab --seed 2 --clock 2026-01-01")[0] != first[0]


def test_a_class_that_a_cell_defined_again_is_said_and_a_new_lab_takes_it(shell: Any) -> None:
    run(shell, "%lab")
    run(shell, MODEL)
    with pytest.raises(Exception, match="was defined again since this lab was made"):
        run(shell, "lab.send(Deposit('1', 50))")
    run(shell, "%lab")
    run(shell, "lab.send(Deposit('1', 50))")
    assert run(shell, "%resume").stack.aggregates["Account-1"].balance == 50


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%step", "run %lab first"),
        ("%lab not-a-name", "takes a variable's name"),
        ("%lab two words", "unrecognized arguments: words"),
        ("%lab Account", "would hide <class"),
        ("%lab print", "would hide <built-in function print>"),
        ("%lab --clock noon", "takes a time"),
        ("%send", "takes a command"),
        ("%send Depsit('1', 5)", "name 'Depsit' is not defined. The commands are Deposit(...)"),
        (
            "%send Deposit('1')",
            "missing 1 required positional argument: 'amount'. The commands are Deposit(...)",
        ),
        ("%goto", "number of a moment"),
        ("%goto x", "whole number; found 'x'"),
        ("%restart now", "takes no argument"),
    ],
)
def test_a_mistaken_magic_is_said(
    shell: Any, line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if line != "%step":
        run(shell, "%lab")
    shell.run_cell(line)
    captured = capsys.readouterr()
    assert words in captured.out + captured.err


def test_lab_tells_what_a_class_still_lacks(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "del Account.new\n%lab")
    assert (
        "Account has no new, which an aggregate needs: add `@classmethod def new(cls, id)`"
        in capsys.readouterr().out
    )


def test_a_lab_does_not_go_on_with_half_a_model(shell: Any) -> None:
    run(shell, "%lab\nlab.send(Deposit('1', 50), Deposit('2', 50))\nlab.step()")
    run(shell, MODEL)
    with pytest.raises(InvalidModel, match="was defined again since this lab was made"):
        run(shell, "lab.step()")
    assert run(shell, "lab.step_back()") is not None
    assert run(shell, "lab.step_in()") is not None


def test_tab_completes_the_magics_and_the_commands_of_the_model(shell: Any) -> None:
    run(shell, "%lab")
    with provisionalcompleter():
        assert "%step_in" in {c.text for c in shell.Completer.completions("%step_", 6)}
    assert "Deposit(" in shell.complete("De", "%send De", 8)[1]
