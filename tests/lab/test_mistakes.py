"""What a notebook shows for the mistakes that people make most: the user's lines, and what to do."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

HEAD = """
from dataclasses import dataclass, replace
from calamity_lab import Continue, Lab, Rejected, Start, Stop, command
"""
MESSAGES = """
@dataclass(frozen=True)
class Deposited:
    account_id: str
    amount: int

@command(to="Account", by="account_id")
@dataclass(frozen=True)
class Deposit:
    account_id: str
    amount: int
"""
ACCOUNT = """
@dataclass(frozen=True)
class Account:
    account_id: str
    balance: int = 0

    @classmethod
    def new(cls, account_id):
        return cls(account_id)

    def execute(self, command):
        match command:
            case Deposit(amount=amount) if amount < 0:
                raise Rejected("amounts are positive", amount=amount)
            case Deposit(amount=amount):
                return Deposited(self.account_id, amount)

    def apply(self, event):
        match event:
            case Deposited(amount=amount):
                return replace(self, balance=self.balance + amount)
"""
BONUS = """
@dataclass(frozen=True)
class Bonus:
    account_id: str

    @classmethod
    def interested(cls, event):
        return Start(event.account_id)

    @classmethod
    def new(cls, account_id):
        return cls(account_id)

    def apply(self, event):
        return self

    def handle(self, event):
        return None
"""
DEPOSIT = "lab.send(Deposit('1', 50))\nlab.resume()"
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An IPython shell, as a notebook has one: cells are numbered, and an error is shown."""
    module = ModuleType("notebook_of_mistakes")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    shell = InteractiveShell.instance(user_module=module, user_ns=vars(module))
    shell.run_line_magic("load_ext", "calamity_lab")
    shell.run_cell(HEAD, store_history=True)
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


@pytest.fixture
def shown(shell: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """What the last one of these cells shows, without colours."""

    def run(*cells: str) -> str:
        for cell in cells:
            capsys.readouterr()
            shell.run_cell(cell, store_history=True)
        captured = capsys.readouterr()
        return _COLOUR.sub("", captured.out + captured.err).strip()

    return run


def with_(source: str, old: str, new: str) -> str:
    assert old in source
    return source.replace(old, new)


RAISES = "{}['x']"
CALLBACKS = {
    "Account.execute": with_(ACCOUNT, "return Deposited", f"return {RAISES}, Deposited"),
    "Account.apply": with_(ACCOUNT, "return replace", f"return {RAISES}, replace"),
    "Account.new": with_(ACCOUNT, "return cls", f"return {RAISES}, cls"),
    "Bonus.interested": ACCOUNT + with_(BONUS, "return Start", f"return {RAISES}, Start"),
    "Bonus.new": ACCOUNT + with_(BONUS, "return cls", f"return {RAISES}, cls"),
    "Bonus.apply": ACCOUNT + with_(BONUS, "return self", f"return {RAISES}"),
    "Bonus.handle": ACCOUNT + with_(BONUS, "return None", f"return {RAISES}"),
    "Deposit.aggregate": ACCOUNT
    + f"\ndef aggregate(self):\n    return Account, {RAISES}\nDeposit.aggregate = aggregate",
    "Bonus.handle_rejection": ACCOUNT
    + with_(BONUS, "return None", "return Deposit('1', -1)")
    + f"\n    def handle_rejection(self, rejected):\n        return {RAISES}\n",
}


@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_callback_that_raises_shows_the_lines_of_the_user_and_no_others(shown: Any, callback: str) -> None:
    message = shown(MESSAGES, CALLBACKS[callback], "%lab", DEPOSIT)
    lines = message.splitlines()
    assert len(lines) < 12, message
    ((number, source),) = [
        (n, line.strip())
        for n, line in enumerate(CALLBACKS[callback].strip().splitlines(), 1)
        if RAISES in line
    ]
    asked_at = 1 if callback == "Deposit.aggregate" else 2
    assert lines[:5] == [
        f"Cell In [5], line {asked_at}",
        f"----> {DEPOSIT.splitlines()[asked_at - 1]}",
        f"Cell In [3], line {number}, in {callback.replace('Deposit.', '')}",
        f"----> {source}",
        "",
    ]
    assert f"{callback} raised KeyError: 'x' in cell In [3], line {number}, for " in message
    assert lines[-1] == "The whole traceback: %tb"


def test_the_whole_traceback_is_shown_when_it_is_asked_for(shown: Any) -> None:
    short = shown(MESSAGES, CALLBACKS["Account.execute"], "%lab", DEPOSIT)
    whole = shown("%tb")
    assert "ask.py" in whole
    assert "KeyError: 'x'" in whole
    assert "Traceback (most recent call last)" in whole
    assert shown("import sys\nprint(sys.last_value.full_traceback())") == whole
    again = shown("lab.resume()")
    assert again.splitlines()[1:] == short.splitlines()[1:]
