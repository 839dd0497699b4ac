"""The magics, in a real IPython shell."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
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


def run(shell: Any, source: str, cell: str | None = None) -> Any:
    result = shell.run_cell(source, cell_id=cell)
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


def test_a_new_lab_may_be_unchecked_and_without_previews(shell: Any) -> None:
    run(shell, "%lab")
    assert run(shell, "lab.stepper.checked and lab.trace.has_previews")
    with pytest.raises(UsageError, match=r"lab is a lab already; %lab --unchecked --new makes a new one"):
        run(shell, "%lab --unchecked")
    run(shell, "%lab --new --no-preview --unchecked")
    assert not run(shell, "lab.stepper.checked or lab.trace.has_previews")


def test_a_lab_may_have_its_own_seed_and_clock(shell: Any) -> None:
    def recorded(line: str) -> tuple[str, str]:
        run(shell, line)
        run(shell, "%send Deposit('1', 50)")
        run(shell, "%step")
        event = run(shell, "lab.events[0]")
        return event.event_id, event.recorded_at.isoformat()

    first = recorded("%lab --seed 1 --clock 2026-01-01")
    assert first[1] == "2026-01-01T00:00:00+00:00"
    assert recorded("%lab --new --seed 1 --clock 2026-01-01") == first
    assert recorded("%lab --new --seed 2 --clock 2026-01-01")[0] != first[0]
    run(shell, "%lab --seed 1 --clock 2026-01-01")
    assert run(shell, "lab.trace.branch.name") == "branch 1"
    assert run(shell, "(lab.events[0].event_id, lab.events[0].recorded_at.isoformat())") == first
    run(shell, "%lab --seed 1 --clock 2026-01-01")
    assert run(shell, "list(lab.branches)") == ["main", "branch 1"]


STRICT = MODEL.replace("amount <= 0", "amount < 7")


def told(shell: Any, capsys: pytest.CaptureFixture[str], line: str, cell: str | None = None) -> list[str]:
    """What a cell prints."""
    capsys.readouterr()
    run(shell, line, cell)
    return capsys.readouterr().out.splitlines()


def test_lab_run_again_replays_the_lab_on_the_classes_as_they_are_now(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%lab\nlab.send(Deposit('1', 50), Deposit('1', 5))\nlab.resume()")
    lab, view = run(shell, "lab"), run(shell, "lab.view")
    odd = "@dataclass(frozen=True)\nclass Odd"
    run(shell, STRICT.replace(odd, f"@command(to='Account', by='note')\n{odd}"))
    assert told(shell, capsys, "%lab") == [
        "2 commands replayed on 'branch 1'; the first difference is at step 7: Deposit is now rejected",
        "Classes defined again: Account, Deposit, Deposited; new: Odd",
        "please check:",
        "  Account.execute has no case for Odd, a command of its own",
        "lab.send(...) adds to these commands. For a new lab: %lab --new",
    ]
    assert shell.user_ns["lab"] is lab
    assert run(shell, "lab.view") is view
    assert view.contents.views()["controls"].last == lab.cursor == 8
    assert [form.command for form in view.contents.views()["form"].forms] == ["Deposit", "Odd"]
    assert told(shell, capsys, "%lab")[0] == "2 commands replayed on 'branch 1'; no difference"
    run(shell, MODEL)
    assert "at step 7: Deposit is now accepted" in told(shell, capsys, "%lab")[0]
    assert list(lab.branches) == ["main", "branch 1", "branch 2"]


def test_lab_run_again_before_anything_was_sent_says_what_it_found(
    shell: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first, lab = told(shell, capsys, "%lab"), run(shell, "lab")
    run(shell, STRICT)
    assert told(shell, capsys, "%lab") == first
    assert shell.user_ns["lab"] is lab
    assert list(lab.branches) == ["main"]
    with pytest.raises(Exception, match="amounts are positive"):
        run(shell, "Account.new('1').execute(lab.model.command('Deposit')('1', 5))")


@pytest.mark.parametrize("gone", ["del lab", "lab = 5", "%reset -f", "lab = None", "lab = [lab]"])
def test_lab_makes_a_new_lab_where_the_variable_holds_none(shell: Any, gone: str) -> None:
    run(shell, "%lab\nlab.send(Deposit('1', 50))\nlab.resume()")
    earlier = run(shell, "lab")
    run(shell, gone)
    run(shell, MODEL)
    run(shell, "%lab")
    assert run(shell, "lab") is not earlier
    assert run(shell, "len(lab.events)") == 0


def test_lab_new_makes_a_new_lab_and_another_name_too(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(shell, "%lab\nlab.send(Deposit('1', 50))\nlab.resume()")
    earlier = run(shell, "lab")
    assert told(shell, capsys, "%lab bench")[-1].startswith("Ready. Send a command: bench.send(...)")
    assert run(shell, "lab") is earlier
    run(shell, "bench.send(Deposit('1', 5))")
    assert told(shell, capsys, "%lab bench")[-1].endswith("For a new lab: %lab bench --new")
    assert told(shell, capsys, "%lab --new")[-1].startswith("Ready.")
    assert run(shell, "lab") is not earlier


def test_lab_replays_a_lab_that_was_made_by_hand_where_its_classes_are(shell: Any) -> None:
    run(shell, "from calamity_lab import Lab\nlab = Lab(aggregates=[Account], commands=[Deposit])")
    run(shell, "lab.send(Deposit('1', 5))\nlab.resume()")
    run(shell, STRICT)
    run(shell, "%lab")
    assert run(shell, "lab.model.aggregates == (Account,)")
    assert run(shell, "len(lab.events)") == 0


def test_run_all_a_second_time_sends_nothing_twice(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    cells = {
        "model": STRICT,
        "lab": "%lab",
        "send": "lab.send(Deposit('1', 50), Deposit('2', 5))",
        "step": "shown = [str(lab.step_in()) for _ in range(3)]",
        "more": "for amount in (7, 8):\n    lab.send(Deposit('1', amount))\n    lab.resume()",
    }
    for name, source in cells.items():
        run(shell, source, name)
    lab, shown = shell.user_ns["lab"], shell.user_ns["shown"]
    events = [repr(each.event) for each in lab.events]
    for name, source in cells.items():
        lines = told(shell, capsys, source, name)
        if name == "send":
            assert lines[0] == (
                "This cell sent 2 commands before, and %lab has replayed them. The lab is at step 0 now, "
                "where they were sent. Run the cell again to send them anew"
            )
    assert shell.user_ns["lab"] is lab
    assert (shell.user_ns["shown"], lab.cursor) == (shown, lab.trace.last)
    assert [repr(each.event) for each in lab.events] == events
    run(shell, cells["send"], "send")  # once more: this is meant
    assert len(lab.agenda) == 2
    assert told(shell, capsys, "%lab", "lab")[-1].startswith("A cell that runs again does not send")
    run(shell, "lab.send(Deposit('1', 60))", "send")  # a changed cell sends what it says now
    assert len(lab.agenda) == 3


def test_a_reloaded_module_and_autoreload_are_replayed(
    shell: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a_bank.py"
    path.write_text(MODEL, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    run(shell, "import importlib, a_bank\nfrom calamity_lab import Lab\nlab = Lab(a_bank)")
    run(shell, "lab.send(a_bank.Deposit('1', 5))\nlab.resume()")
    path.write_text(STRICT, encoding="utf-8")
    run(shell, "importlib.reload(a_bank)")
    assert "Deposit is now rejected" in told(shell, capsys, "%lab")[0]
    run(shell, "%load_ext autoreload\n%autoreload 2")
    path.write_text(MODEL, encoding="utf-8")
    os.utime(path, (time.time() + 9, time.time() + 9))
    assert "Deposit is now accepted" in told(shell, capsys, "%lab")[0]
    monkeypatch.delitem(sys.modules, "a_bank")


def test_a_class_that_a_cell_defined_again_is_said_and_lab_takes_it(shell: Any) -> None:
    run(shell, "%lab")
    run(shell, MODEL)
    with pytest.raises(Exception, match="was defined again, and this branch keeps the earlier class"):
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
    with pytest.raises(InvalidModel, match="was defined again, and this branch keeps the earlier class"):
        run(shell, "lab.step()")
    assert run(shell, "lab.step_back()") is not None
    assert run(shell, "lab.step_in()") is not None


def test_tab_completes_the_magics_and_the_commands_of_the_model(shell: Any) -> None:
    run(shell, "%lab")
    with provisionalcompleter():
        assert "%step_in" in {c.text for c in shell.Completer.completions("%step_", 6)}
    assert "Deposit(" in shell.complete("De", "%send De", 8)[1]
