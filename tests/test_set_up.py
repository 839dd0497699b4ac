"""Set-up: what `make` finds on a machine, and what it says where something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import bootstrap, chromium, open_lab

ROOT = Path(__file__).resolve().parent.parent


def program(path: Path, exit_code: int) -> Path:
    """A program that does nothing but end with this exit code."""
    path.write_text(f"#!/bin/sh\nexit {exit_code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_browser_named_by_the_environment_is_taken_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = program(tmp_path / "my-browser", 0)
    monkeypatch.setenv("CHROMIUM", str(mine))
    assert chromium.find_chromium() == str(mine)


def test_a_browser_named_by_the_environment_that_does_not_start_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chrome")
    with pytest.raises(chromium.NoChromium, match="/nowhere/chrome"):
        chromium.find_chromium()


def test_a_browser_on_the_path_that_does_not_start_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "chromium", 1)
    works = program(tmp_path / "google-chrome", 0)
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(chromium, "NAMES", ("chromium", "google-chrome"))
    assert chromium.find_chromium() == str(works)


def test_a_machine_without_a_browser_is_said_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(chromium, "candidates", lambda: iter(()))
    with pytest.raises(chromium.NoChromium, match="CHROMIUM=/path/to/chrome make test"):
        chromium.find_chromium()


def test_a_python_that_is_too_old_is_rejected_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; .* is 3\.10\.4\. .*PYTHON="):
        bootstrap.main([".venv"])


def test_a_broken_environment_is_not_taken_for_a_working_one(tmp_path: Path) -> None:
    assert not bootstrap.works(tmp_path / "bin" / "python")
    assert not bootstrap.works(program(tmp_path / "python", 1))


def test_the_lab_opens_on_the_first_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for name in ("02-transfer.ipynb", "01-first command.ipynb"):
        (notebooks / name).touch()
    monkeypatch.setattr(open_lab, "ROOT", tmp_path)
    words = open_lab.command(["--no-browser"])
    assert f"--ServerApp.root_dir={tmp_path / 'playground'}" in words
    assert "--LabApp.default_url=/lab/tree/01-first%20command.ipynb" in words
    assert words[-1] == "--no-browser"


def test_tutorials_are_played_with_as_copies_and_a_changed_copy_is_never_overwritten(tmp_path: Path) -> None:
    notebooks, playground = tmp_path / "notebooks", tmp_path / "playground"
    notebooks.mkdir()
    for name in ("01.ipynb", "02.ipynb"):
        (notebooks / name).write_text("first", encoding="utf-8")
    assert open_lab.lay_out(notebooks, playground) == ["01.ipynb", "02.ipynb"]
    (playground / "02.ipynb").write_text("mine", encoding="utf-8")
    for name in ("01.ipynb", "02.ipynb"):
        (notebooks / name).write_text("second", encoding="utf-8")
    open_lab.lay_out(notebooks, playground)
    assert (playground / "01.ipynb").read_text(encoding="utf-8") == "second"
    assert (playground / "02.ipynb").read_text(encoding="utf-8") == "mine"


def test_the_settings_of_the_users_home_do_not_reach_the_lab(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".jupyter").mkdir(parents=True)
    (home / ".jupyter" / "jupyter_server_config.py").write_text(
        "raise SystemExit('broken')", encoding="utf-8"
    )
    environment = {**os.environ, "HOME": str(home), **open_lab.settings(tmp_path / "ours")}
    asked = [sys.executable, "-m", "jupyterlab", "--show-config"]
    shown = subprocess.run(asked, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "broken" not in shown.stderr


def test_a_dry_run_of_make_says_what_would_run_and_runs_nothing(tmp_path: Path) -> None:
    makefile = ROOT / "Makefile"
    given = next(line for line in makefile.read_text(encoding="utf-8").splitlines() if "SETUP :=" in line)
    for name in ("package-lock.json", *given.partition(":=")[2].split()):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    words = ["make", "-n", "-f", str(makefile), "test"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "-m pytest" in done.stdout
    assert "check-types" in done.stdout
