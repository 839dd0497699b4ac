"""The dock beside the notebook: opened, opened again, and what is said where there is none."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import IPython
import pytest
from IPython.core.events import EventManager, available_events

from calamity_lab.errors import MissingExtra
from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from calamity_lab.widgets.view_widget import Dock

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def lab() -> Lab:
    return Lab(bank)


@pytest.fixture
def in_jupyter(monkeypatch: pytest.MonkeyPatch) -> None:
    events = EventManager(None, available_events)
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object(), events=events))


def dock_of(lab: Lab, title: str | None = None) -> Dock:
    dock = lab.dock(title)
    assert dock is not None
    return dock


@pytest.mark.usefixtures("in_jupyter")
def test_a_dock_shows_the_composite_and_the_same_one_when_it_is_asked_for_again(lab: Lab) -> None:
    dock = dock_of(lab)
    first: Any = dock._panel
    (output,) = first.outputs
    assert output["data"][VIEW]["model_id"] == dock.widget.model_id
    assert (first.title, first.anchor) == ("Lab", "split-right")
    assert dock_of(lab, "Bank") is dock
    assert dock._panel is not first
    assert dock._panel.title == "Bank"
    assert first.comm is None, "there is one panel, wherever the other was"
    assert dock_of(lab)._panel.title == "Bank"


@pytest.mark.usefixtures("in_jupyter")
def test_a_closed_dock_leaves_the_lab_and_can_be_opened_again(lab: Lab) -> None:
    dock = dock_of(lab)
    panel: Any = dock._panel
    dock.close()
    dock.close()
    assert panel.comm is None
    assert dock.widget.comm is not None
    assert dock_of(lab) is dock
    assert dock._panel.comm is not None


@pytest.mark.usefixtures("in_jupyter")
def test_where_no_panel_can_be_the_cell_has_a_picture_and_says_what_to_do(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, str]] = []
    updates: list[bool] = []

    def display(bundle: dict[str, str], *, update: bool, **_: object) -> None:
        shown.append(bundle)
        updates.append(update)

    monkeypatch.setattr(IPython.display, "display", display)
    dock = dock_of(lab)
    (bundle,) = shown
    assert f'data-calamity-docked="{dock.widget.token}"' in bundle["text/html"]
    assert "let a cell end with the lab" in bundle["text/html"]
    assert "Nothing has happened yet" in bundle["text/html"]
    lab.send(bank.CreateAccount("ann"))
    lab.step_over()
    dock.widget.hear({"verb": "rests"})
    assert f"Picture of step {lab.cursor} of {lab.cursor}" in shown[-1]["text/html"]
    assert updates == [False, True]


@pytest.mark.usefixtures("in_jupyter")
def test_a_dock_without_sidecar_says_how_to_install_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sidecar", None)
    with pytest.raises(MissingExtra, match=r"sidecar.*pip install 'calamity-lab\[dock\]'"):
        lab.dock()


def test_outside_of_jupyter_nothing_is_docked_and_a_warning_says_what_works(lab: Lab) -> None:
    with pytest.warns(UserWarning, match=r"needs JupyterLab.*in marimo let a cell end with lab.*to_html"):
        assert lab.dock() is None
