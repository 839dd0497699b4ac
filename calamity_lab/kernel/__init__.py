"""The pure core: an event-sourced system is a value, and dispatching a command a function to the next one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names live in those modules, several names to a module.

    ``homes`` has the modules below ``calamity_lab`` with the names that each defines, in words.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}

    def load(name: str) -> Any:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"calamity_lab.{home}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
