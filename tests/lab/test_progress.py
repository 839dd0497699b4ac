"""A call that takes long shows how far it is, where somebody looks."""

from __future__ import annotations

import pytest

from calamity_lab.examples import bank
from calamity_lab.lab import Lab, displays


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank)
    lab.send(*bank.story())
    return lab


def test_a_long_call_shows_its_commands_and_takes_the_bar_away(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(displays, "is_watched", lambda: True)
    monkeypatch.setattr(displays, "AFTER", -1.0)
    lab.resume()
    shown = capsys.readouterr().err
    assert "Resume:" in shown
    assert " 0/9 " in shown
    assert shown.rstrip(" ").endswith("\r")
    lab.restart()
    monkeypatch.setattr(displays, "is_watched", lambda: False)
    lab.resume()
    assert capsys.readouterr().err == "", "nobody watches any more"


def test_a_quick_call_shows_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(displays, "is_watched", lambda: True)
    lab.step_out()
    assert capsys.readouterr().err == ""


def test_where_nobody_looks_nothing_is_shown(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(displays, "AFTER", -1.0)
    lab.resume()
    assert capsys.readouterr().err == ""


def test_a_bar_can_be_switched_off_as_tqdm_lets_people_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(displays, "_is_notebook", lambda: True)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    assert displays.is_watched()
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert not displays.is_watched()
