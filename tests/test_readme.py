"""What the README says is so."""

from __future__ import annotations

import re
import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def run_readme(monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    """What the README's code defines, run from top to bottom in an empty folder."""
    monkeypatch.chdir(folder)
    module = ModuleType("readme")
    monkeypatch.setitem(sys.modules, "readme", module)
    for block in blocks():
        exec(compile(block, "README.md", "exec"), vars(module))
    return vars(module)


def test_the_code_of_the_readme_runs_and_does_what_its_comments_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert len(blocks()) == 7
    first_lab = "\n".join(blocks()[:2])
    monkeypatch.setattr(sys.modules[__name__], "README", f"```python\n{first_lab}```\n")
    lab = run_readme(monkeypatch, tmp_path)["lab"]
    assert lab.aggregates["BankAccount-1"].balance == 50
    assert [step.kind for step in lab.trace.steps][-2:] == ["Refused", "Completed"]
    assert lab.moment.rests
    assert len(lab.history.to_pandas()) == 1


def test_the_store_of_the_readme_remembers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scope = run_readme(monkeypatch, tmp_path)
    assert scope["run"].stack.aggregates["BankAccount-1"].balance == 1010
    assert not scope["run"].agenda
    with sqlite3.connect(tmp_path / "bank.db") as connection:
        amounts = connection.execute("SELECT stream_id, payload->>'amount' FROM events").fetchall()
    assert amounts == [("BankAccount-1", 1000), ("BankAccount-1", 10)]


def test_the_figure_of_the_readme_is_text_that_can_be_searched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_readme(monkeypatch, tmp_path)
    drawn = (tmp_path / "timeline.svg").read_text("utf-8")
    assert ">BankAccount-1</text>" in drawn
    assert "<dc:date>" not in drawn


def test_the_process_manager_of_the_readme_starts_and_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scope = run_readme(monkeypatch, tmp_path)
    lab = scope["Lab"](aggregates=[scope["BankAccount"]], process_managers=[scope["Bonus"]])
    lab.send(scope["DepositFunds"]("1", 1000))
    lab.step()
    assert lab.process_managers["Bonus-1"].deposited == 1000
    lab.resume()
    assert lab.aggregates["BankAccount-1"].balance == 1010
    assert not lab.process_managers


def test_the_projection_and_the_policy_of_the_readme_do_what_their_comments_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first_labs = "\n".join(blocks()[:4])
    monkeypatch.setattr(sys.modules[__name__], "README", f"```python\n{first_labs}```\n")
    lab = run_readme(monkeypatch, tmp_path)["lab"]
    assert lab.projections["Turnover"].total == 7001


def test_the_first_model_has_about_twenty_lines_of_code() -> None:
    lines = [line for line in blocks()[0].splitlines() if line.strip()]
    assert len(lines) <= 26


def test_every_call_that_the_readme_names_is_there() -> None:
    import calamity_lab
    from calamity_lab import History, Lab

    named = set(re.findall(r"`lab\.(\w+)", README)) | set(re.findall(r"lab\.(\w+)\(", README))
    assert named - set(dir(Lab)) - {"cursor"} == set()
    exports = set(re.findall(r"`\.(to_\w+)", README)) | set(re.findall(r"history\.(to_\w+)", README))
    assert exports <= set(dir(History))
    for name in ("Stack", "begin", "advance", "dispatch", "seeded_ids", "ticking_clock"):
        assert hasattr(calamity_lab, name)


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing


def test_every_file_that_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]*(?:\.\w+)?)`", text)) - {
        "shots/index.html",
        "build/docs",
    }  # made by make
    missing = [
        name for name in named if not (ROOT / name).exists() and not (ROOT / "calamity_lab" / name).exists()
    ]
    assert not missing
