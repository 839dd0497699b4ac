"""Looking at a lab costs nothing: a slow model is not waited for, and nothing that it prints is seen."""

from __future__ import annotations

import asyncio
import io
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

import pytest

from calamity_lab.kernel.messages import Start, command
from calamity_lab.lab import Lab
from calamity_lab.probe.late import Late
from calamity_lab.probe.possible import possible
from calamity_lab.views.agenda import agenda
from calamity_lab.widgets import view_widget
from tests.widgets.front_end_stand_in import FrontEnd


@dataclass(frozen=True)
class Opened:
    id: str


@command(to="Account", by="id")
@dataclass(frozen=True)
class Open:
    id: str


@command(to="Account", by="id")
@dataclass(frozen=True)
class Close:
    id: str


class Model:
    """What the model does while it decides, and how often it was asked."""

    decides: Callable[[], object] = staticmethod(lambda: None)
    calls = 0


@dataclass(frozen=True)
class Account:
    id: str
    opened: int = 0

    @classmethod
    def new(cls, account_id: str) -> Account:
        return cls(account_id)

    def execute(self, given: Open | Close) -> Opened:
        Model.calls += 1
        Model.decides()
        return Opened(given.id)

    def apply(self, event: Opened) -> Account:
        return replace(self, opened=self.opened + 1)


@dataclass(frozen=True)
class Greeting:
    id: str

    @classmethod
    def interested(cls, event: Opened) -> Start | None:
        return Start(event.id) if event.id == "greeted" else None

    @classmethod
    def new(cls, id_: str) -> Greeting:
        return cls(id_)

    def apply(self, event: Opened) -> Greeting:
        return self

    def handle(self, event: Opened) -> Close:
        return Close(event.id)


@pytest.fixture
def answering() -> Iterator[threading.Event]:
    """A model that decides once the event is set, as one that takes long."""
    event = threading.Event()
    Model.decides, Model.calls = lambda: event.wait(30), 0
    yield event
    event.set()
    Model.decides = lambda: None


def lab(**options: Any) -> Lab:
    made = Lab(
        aggregates=[Account], commands=[Open, Close], events=[Opened], process_managers=[Greeting], **options
    )
    made.send(*(kind(f"{n}") for n in range(4) for kind in (Open, Close)))
    return made


def shown(made: Lab) -> float:
    """Show the lab; the seconds that it took."""
    began = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        made.view._ipython_display_()
    return time.perf_counter() - began


def previews(made: Lab) -> list[str]:
    return [entry.preview for entry in agenda(made.trace, made.cursor).entries]


def until(holds: Callable[[], bool]) -> None:
    ends = time.perf_counter() + 20
    while not holds() and time.perf_counter() < ends:
        time.sleep(0.01)
    assert holds()


def test_showing_a_lab_does_not_wait_for_a_model_that_does_not_answer(answering: threading.Event) -> None:
    made = lab()
    assert shown(made) < 20
    assert previews(made) == ["no preview yet: the model has not answered"] * 8
    FrontEnd(made.view).ask("goto", moment=0)
    assert Model.calls <= 2  # one preview, and the process graph


def test_a_preview_comes_late_once_the_model_has_answered(answering: threading.Event) -> None:
    made = lab()
    assert previews(made)[0] == "no preview yet: the model has not answered"
    answering.set()
    until(lambda: previews(made)[0] == "would record Opened")


def test_a_widget_shows_a_preview_that_comes_late_by_itself(
    answering: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(view_widget, "_kernel_loop", lambda: loop)
    page = FrontEnd(lab().view)
    assert page.values["agenda"]["entries"][0]["preview"] == "no preview yet: the model has not answered"
    known = len(page.messages)
    answering.set()

    async def shown() -> None:
        ends = time.perf_counter() + 20
        while page.values["agenda"]["entries"][0]["preview"] != "would record Opened":
            assert time.perf_counter() < ends, "nothing came by itself"
            await asyncio.sleep(0.01)

    with ThreadPoolExecutor() as thread:  # here another loop may be running: that of a browser
        thread.submit(loop.run_until_complete, shown()).result()
    loop.close()
    assert 0 < len(page.messages) - known <= 8, "one message for each preview at most"


def test_a_model_that_answers_at_once_is_previewed_at_once() -> None:
    assert previews(lab()) == ["would record Opened"] * 8


def test_a_process_graph_is_read_from_the_source_until_the_model_has_answered(
    answering: threading.Event,
) -> None:
    made = lab()
    found = possible(made.model)
    assert not found.asked
    assert ("Account", "Opened") in found.decides
    answering.set()
    until(lambda: possible(made.model).asked)
    assert ("Open", "Opened") in possible(made.model).leads


def test_a_model_that_sleeps_each_time_is_asked_a_few_times_only() -> None:
    Model.decides, Model.calls = lambda: time.sleep(0.3), 0
    try:
        made = lab()
        possible(made.model)
        until(lambda: possible(made.model).asked)
        assert Model.calls == 3
    finally:
        Model.decides = lambda: None


@pytest.mark.parametrize("face", ["lab", "process_graph", "agenda"])
def test_without_previews_no_model_is_asked(face: str) -> None:
    Model.calls = 0
    made = lab(preview=False)
    shown(made)
    FrontEnd(made.view).ask("goto", moment=0)
    made._widget(face).still()
    assert (previews(made), Model.calls) == ([""] * 8, 0)
    made.step()
    assert Model.calls == 2  # checked


def test_what_a_model_prints_is_seen_once_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    Model.decides = lambda: print("decided")
    try:
        made = lab()
        shown(made)
        page = FrontEnd(made.view)
        assert capsys.readouterr().out == ""
        made.step()
        assert capsys.readouterr().out == "decided\n"
        page.ask("step_over")
        assert capsys.readouterr().out == "decided\n"
    finally:
        Model.decides = lambda: None


def test_what_others_warn_of_meanwhile_is_seen(answering: threading.Event) -> None:
    previews(lab())  # which the model has not answered yet
    with pytest.warns(UserWarning, match="a cell"):
        warnings.warn("a cell", UserWarning, stacklevel=1)


def test_a_state_that_cannot_be_copied_has_a_preview_all_the_same() -> None:
    made = Lab(aggregates=[Locked], commands=[Lock], events=[Opened])
    made.send(Lock("1"), Lock("1"))
    made.step()
    assert previews(made) == ["would record Opened"]


@command(to="Locked", by="id")
@dataclass(frozen=True)
class Lock:
    id: str


@dataclass(frozen=True)
class Locked:
    id: str
    lock: Any

    @classmethod
    def new(cls, id_: str) -> Locked:
        return cls(id_, threading.Lock())

    def execute(self, given: Lock) -> Opened:
        return Opened(given.id)

    def apply(self, event: Opened) -> Locked:
        return self


def test_what_an_answer_that_comes_late_raises_is_raised_where_it_is_asked_for() -> None:
    late = Late[int](lambda: 1 // 0)
    assert late.wait()
    with pytest.raises(ZeroDivisionError):
        _ = late.answer
