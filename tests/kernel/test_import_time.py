"""Importing the package is light: what is heavy loads when it is first used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "pandas",
    "numpy",
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "networkx",
    "IPython",
    "rpds",
)


def loaded_after(program: str) -> set[str]:
    """The heavy modules that a fresh interpreter has loaded after running the program."""
    ask = f"{program}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import calamity_lab") == set()


def test_the_kernel_loads_no_library_but_its_own() -> None:
    program = (
        "from calamity_lab import Stack, dispatch, begin, advance, command, InMemoryEventStore, Aggregate"
    )
    assert loaded_after(program) == {"rpds"}


def test_a_heavy_module_would_be_noticed() -> None:
    assert "rpds" in loaded_after("import rpds")


@pytest.mark.parametrize("name", ["Stak", "kernel_"])
def test_a_name_that_the_package_does_not_have_is_told(name: str) -> None:
    import calamity_lab

    with pytest.raises(AttributeError, match=name):
        getattr(calamity_lab, name)
