"""What a notebook shows for the mistakes that people make most: the user's lines, and what to do."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

# ruff: noqa: E501 - messages
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


def test_of_calls_that_lead_deep_into_the_code_of_the_user_the_first_and_the_last_are_shown(
    shown: Any,
) -> None:
    deep = with_(ACCOUNT, "return Deposited", "return deep(9), Deposited")
    recursion = "\ndef deep(n):\n    return deep(n - 1) if n else {}['x']\n"
    message = shown(MESSAGES, recursion, deep, "%lab", DEPOSIT)
    assert "... 9 more lines of code, which call each other ..." in message
    assert message.count("----> return deep(n - 1) if n else {}['x']") == 2
    assert len(message.splitlines()) < 12


def test_the_whole_traceback_is_shown_when_it_is_asked_for(shown: Any) -> None:
    short = shown(MESSAGES, CALLBACKS["Account.execute"], "%lab", DEPOSIT)
    whole = shown("%tb")
    assert "ask.py" in whole
    assert "KeyError: 'x'" in whole
    assert "Traceback (most recent call last)" in whole
    assert shown("import sys\nprint(sys.last_value.full_traceback())") == whole
    again = shown("lab.resume()")
    assert again.splitlines()[1:] == short.splitlines()[1:]


SEND = "lab.send(Deposit('1', 50))\nlab.resume()"
FROZEN = with_(
    ACCOUNT,
    "return replace(self, balance=self.balance + amount)",
    "self.balance += amount\n                return self",
)
UNDECORATED = MESSAGES.replace('@command(to="Account", by="account_id")\n', "")
MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "execute is async": (
        (MESSAGES, with_(ACCOUNT, "def execute", "async def execute"), "%lab", SEND),
        r"Account\.execute is `async def`.*: write `def execute\(self, command\)`\. See cell In \[3\], line 10",
    ),
    "apply is async": (
        (MESSAGES, with_(ACCOUNT, "def apply", "async def apply"), "%lab", SEND),
        r"write `def apply\(self, event\)`\. See cell In \[3\], line 17",
    ),
    "execute yields": (
        (MESSAGES, with_(ACCOUNT, "return Deposited", "yield Deposited"), "%lab", SEND),
        r"has `yield`, .*: return a list instead",
    ),
    "apply sets a field of a frozen class": (
        (MESSAGES, FROZEN, "%lab", SEND),
        r"cannot assign to field 'balance' in cell In \[3\], line 20, .*`return replace\(self, balance=\.\.\.\)`",
    ),
    "execute sets a field of a frozen class": (
        (
            MESSAGES,
            with_(ACCOUNT, "return Dep", "self.balance = 1\n                return Dep"),
            "%lab",
            SEND,
        ),
        r"return an event, and let apply return `replace\(self, \.\.\.\)`",
    ),
    "apply sets a field": (
        (MESSAGES, FROZEN.replace("(frozen=True)", ""), "%lab", SEND),
        r"changed self\.balance in place .*`return replace\(self, balance=\.\.\.\)`.* See cell In \[3\], line 20",
    ),
    "apply forgets to return": (
        (MESSAGES, with_(ACCOUNT, "return replace", "replace"), "%lab", SEND),
        r"Account\.apply returned None .*`return replace\(self, \.\.\.\)`.* See cell In \[3\], line 17",
    ),
    "execute forgets to return": (
        (MESSAGES, with_(ACCOUNT, "return Deposited", "Deposited"), "%lab"),
        r"Account\.execute does not return its Deposited: write `return Deposited\(\.\.\.\)`",
    ),
    "execute raises ValueError": (
        (
            MESSAGES,
            with_(ACCOUNT, 'raise Rejected("amounts are positive", amount=amount)', 'raise ValueError("no")'),
            "%lab",
            "lab.send(Deposit('1', -1))\nlab.resume()",
        ),
        r"to reject the command, write `raise Rejected\('no'\)`",
    ),
    "execute returns a command": (
        (MESSAGES, with_(ACCOUNT, "return Deposited", "return Deposit"), "%lab", SEND),
        r"that is a command, and execute returns events",
    ),
    "execute returns True": (
        (MESSAGES, with_(ACCOUNT, "return Deposited(self.account_id, amount)", "return True"), "%lab", SEND),
        r"return an event object, a list of events or None",
    ),
    "execute reads a misspelt field": (
        (MESSAGES, with_(ACCOUNT, "account_id, amount)", "account_id, command.amout)"), "%lab", SEND),
        r"no attribute 'amout' in cell In \[3\], line 15, .*did you mean 'amount'\?",
    ),
    "execute is random": (
        (
            MESSAGES,
            with_(ACCOUNT, "account_id, amount)", "account_id, __import__('random').random())"),
            "%lab",
            SEND,
        ),
        r"gave two answers .*execute\(self, command, context\).* See cell In \[3\], line 10",
    ),
    "execute has no case": (
        (MESSAGES, MESSAGES.replace("Deposit", "Rename"), ACCOUNT, "%lab"),
        r"Account\.execute has no case for Rename, a command of its own",
    ),
    "a step without a case": (
        (
            MESSAGES,
            MESSAGES.replace("Deposit", "Rename"),
            ACCOUNT,
            "%lab",
            "lab.send(Rename('1', 1))\nlab.step()",
        ),
        r"no case for Rename: Account\.execute returned None",
    ),
    "new without classmethod": (
        (MESSAGES, with_(ACCOUNT, "    @classmethod\n", ""), "%lab", SEND),
        r"it must be a @classmethod that takes the id",
    ),
    "no execute": (
        (MESSAGES, with_(ACCOUNT, "def execute", "def decide"), "%lab"),
        r"Account looks like an aggregate but has no execute: add `def execute\(self, command\)`",
    ),
    "no interested": (
        (MESSAGES, ACCOUNT + with_(BONUS, "def interested", "def listens"), "%lab"),
        r"Bonus has handle but no interested: add `@classmethod def interested\(cls, event\)`",
    ),
    "interested returns an id": (
        (MESSAGES, ACCOUNT + with_(BONUS, "Start(event.account_id)", "event.account_id"), "%lab", SEND),
        r"return Start\(id\), Continue\(id\), Stop\(id\).* or None",
    ),
    "handle returns an event": (
        (MESSAGES, ACCOUNT + with_(BONUS, "return None", "return Deposited('1', 5)"), "%lab", SEND),
        r"which is no command: .*@command\(to=.*return a command, a deadline .*a list or None",
    ),
    "handle rejects": (
        (MESSAGES, ACCOUNT + with_(BONUS, "return None", "raise Rejected('no')"), "%lab", SEND),
        r"only execute rejects a command: return None",
    ),
    "a command to nobody": (
        (MESSAGES.replace('to="Account"', 'to="Acount"'), ACCOUNT, "%lab"),
        r"Deposit goes to 'Acount', .*did you mean to='Account'\?",
    ),
    "a command without decorator": (
        (UNDECORATED, ACCOUNT, "%lab"),
        r'Deposit, which is no command: write @command\(to="Account", by="account_id"\)',
    ),
    "an unknown keyword": ((MESSAGES, ACCOUNT, "Lab(aggregate=[Account])"), r"did you mean 'aggregates'\?"),
    "a class for a list": ((MESSAGES, ACCOUNT, "Lab(aggregates=Account)"), r"as in aggregates=\[\.\.\.\]"),
    "a step of an idle lab": ((MESSAGES, ACCOUNT, "%lab", "lab.step()"), r"lab\.send\(command\)"),
    "a class is sent": ((MESSAGES, ACCOUNT, "%lab", "lab.send(Deposit)"), r"send\(Deposit\(\.\.\.\)\)"),
    "a list is sent": (
        (MESSAGES, ACCOUNT, "%lab", "lab.send([Deposit('1', 5)])"),
        r"write send\(\*commands\)",
    ),
    "replace is not imported": (
        (MESSAGES, ACCOUNT, "%lab", f"del replace\n{SEND}"),
        r"name 'replace' is not defined in cell .*write `from dataclasses import replace`",
    ),
    "a misspelt class": (
        (MESSAGES, with_(ACCOUNT, "return Deposited", "return Depsited"), "%lab", SEND),
        r"name 'Depsited' is not defined .*did you mean 'Deposited'\?",
    ),
    "interested reads a field that not every event has": (
        (MESSAGES, ACCOUNT + with_(BONUS, "Start(event.account_id)", "Start(event.owner)"), "%lab", SEND),
        r"no attribute 'owner' in cell In \[3\], line 28, .*return None where an event is not of interest",
    ),
    "Rejected is returned": (
        (
            MESSAGES,
            with_(ACCOUNT, "return Deposited(self.account_id, amount)", "return Rejected('no')"),
            "%lab",
            SEND,
        ),
        r'`raise Rejected\("reason"\)`',
    ),
    "an event is sent": (
        (MESSAGES, ACCOUNT, "%lab", "lab.send(Deposited('1', 5))"),
        r"Deposited is an event: a command leads to it\. Send Deposit\(\.\.\.\)",
    ),
    "a class was defined again": (
        (MESSAGES, ACCOUNT, "%lab", MESSAGES, "lab.send(Deposit('1', 5))"),
        r"Deposit was defined again, .*Run %lab again",
    ),
    "an event class was defined again": (
        (MESSAGES, ACCOUNT, "%lab", SEND, MESSAGES.partition("@command")[0], "lab.send(Deposit('1', 5))"),
        r"Deposited was defined again, .*Run %lab again",
    ),
    "an object of an earlier class is sent": (
        (MESSAGES, ACCOUNT, "old = Deposit('1', 5)", MESSAGES, "%lab", "lab.send(old)"),
        r"this Deposit was made before its class was defined again; make it again, as Deposit\(\.\.\.\)",
    ),
    "a misspelt name": ((MESSAGES, ACCOUNT, "%lab", "lab.agregates"), r"did you mean lab\.aggregates\?"),
    "a misspelt call": ((MESSAGES, ACCOUNT, "%lab", "lab.step_bak()"), r"did you mean lab\.step_back"),
    "a misspelt stream": (
        (MESSAGES, ACCOUNT, "%lab", SEND, "lab.aggregates['Acount-1']"),
        r"did you mean 'Account-1'\?",
    ),
    "an id for a stream": (
        (MESSAGES, ACCOUNT, "%lab", SEND, "lab.aggregates[1]"),
        r"there is no aggregate 1 at this moment; did you mean 'Account-1'\?",
    ),
    "a stream of the history": (
        (MESSAGES, ACCOUNT, "%lab", SEND, "lab.history['Account-1']"),
        r"history\['Account-1'\]: .*lab\.select\('Account-1'\)",
    ),
    "a moment beyond the end": ((MESSAGES, ACCOUNT, "%lab", SEND, "lab.goto(99)"), r"0 to 5 \(goto\(-1\)"),
    "a step over": ((MESSAGES, ACCOUNT, "%lab", SEND, "lab.step_over()"), r"lab\.send\(command\)"),
    "a step back at the start": ((MESSAGES, ACCOUNT, "%lab", "lab.step_back()"), r"this is moment 0"),
    "a file that is not there": (
        (MESSAGES, ACCOUNT, "Lab.attach('sqlite:///nowhere/bank.db', aggregates=[Account])"),
        r"there is no file .*Check the path: sqlite:///bank\.db is in the working directory",
    ),
    "a path for a URL": (
        (MESSAGES, ACCOUNT, "Lab.attach('bank.db', aggregates=[Account])"),
        r"did you mean 'sqlite:///bank\.db'\?",
    ),
    "a commit of a lab that is not attached": (
        (MESSAGES, ACCOUNT, "%lab", "lab.commit()"),
        r"open the store with Lab\.attach\(store, model\)",
    ),
    "@command without arguments": (
        ("@command\n@dataclass\nclass Deposit:\n    account_id: str",),
        r"@command\(to=BankAccount, by='account_id'\)",
    ),
    "@command by no field": (
        ("@command(to='Account', by='id')\n@dataclass\nclass Deposit:\n    account_id: str",),
        r"Deposit has no field 'id' \(its fields: account_id\)",
    ),
    "a command with missing fields": (
        (MESSAGES, ACCOUNT, "%lab", "lab.send(Deposit('1'))"),
        r"missing 1 required positional argument: 'amount'",
    ),
    "a function of a moment": (
        (MESSAGES, ACCOUNT, "%lab", SEND, "lab.resume(until=5)"),
        r"as in until=lambda m: m\.rests; goto\(n\)",
    ),
    "two aggregates of one name": (
        (
            MESSAGES,
            ACCOUNT,
            "Lab(aggregates=[Account, type('Account', (Account,), {'__module__': 'other'})])",
        ),
        r"rename one class, give it another stored_name",
    ),
}


def test_a_reload_of_one_module_of_two_names_the_other(
    shown: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    aggregate = (
        "    def aggregate(self):\n        import deeds\n        return deeds.Account, self.account_id\n"
    )
    for name, source in (("words", UNDECORATED + aggregate), ("deeds", f"from words import *\n{ACCOUNT}")):
        (tmp_path / f"{name}.py").write_text(HEAD + source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("words", "deeds"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    load = "import importlib, words, deeds\nlab = Lab(deeds)\nimportlib.reload(words)"
    message = shown(load, "lab.send(words.Deposit('1', 5))")
    assert re.search(
        r"Deposit was defined again, .* as deeds does; reload it too \(importlib\.reload\)\. Run %lab again",
        message,
    )
    assert len(message.splitlines()) < 12
    message = shown("from words import *\nfrom deeds import Account\n%lab")
    assert re.search(r"Deposit\w* was defined again, .* reload deeds \(importlib\.reload\)", message), message


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_shown_in_under_12_lines_that_name_the_fix(shown: Any, mistake: str) -> None:
    cells, fix = MISTAKES[mistake]
    message = shown(*cells)
    assert re.search(fix, message), message
    assert len(message.splitlines()) < 12, message
    assert "site-packages" not in message
    assert "calamity_lab/" not in message
