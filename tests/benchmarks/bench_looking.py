"""Showing a lab, and going to a moment, over a model that sleeps before it decides, beside a quick one."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

from calamity_lab.kernel.messages import command
from calamity_lab.lab import Lab
from tests.benchmarks.measuring import medians, table
from tests.widgets.front_end_stand_in import FrontEnd

SLEEP = 2.0
COMMANDS = 12
ROUNDS = 7
AIM = 1.2


def run() -> list[str]:
    """The report: what each takes, and the aim."""
    slow, quick = _model(SLEEP), _model(0.0)
    pages = {name: FrontEnd(model().view) for name, model in (("quick", quick), ("slow", slow))}
    _shown(quick())  # which loads what is needed
    shown = medians({"quick": lambda: _shown(quick()), "slow": lambda: _shown(slow())}, ROUNDS)
    moved = medians(
        {name: lambda page=page: page.ask("goto", moment=0) for name, page in pages.items()}, ROUNDS
    )
    return [
        f"showing a lab with {COMMANDS} pending commands; the slow model sleeps {SLEEP:g} s to decide",
        *table(shown, 1, "ms"),
        "going to a moment",
        *table(moved, 1, "ms"),
        f"  aim: at most {AIM} times the quick one",
    ]


def _shown(lab: Lab) -> None:
    with redirect_stdout(io.StringIO()):
        lab.view._ipython_display_()


def _model(sleep: float) -> Callable[[], Lab]:
    @dataclass(frozen=True)
    class Opened:
        id: str

    @command(to="Account", by="id")
    @dataclass(frozen=True)
    class Open:
        id: str

    @dataclass(frozen=True)
    class Account:
        id: str
        opened: int = 0

        @classmethod
        def new(cls, account_id: str) -> Account:
            return cls(account_id)

        def execute(self, given: Any) -> Opened:
            time.sleep(sleep)
            return Opened(given.id)

        def apply(self, event: Any) -> Account:
            return replace(self, opened=self.opened + 1)

    def made() -> Lab:
        lab = Lab(aggregates=[Account], commands=[Open], events=[Opened])
        lab.send(*(Open(f"{n}") for n in range(COMMANDS)))
        return lab

    return made
