"""Classes by the path that they are imported from, as in ``"bank.account:BankAccount"``."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import Any

from calamity_lab.errors import InvalidModel


@cache
def path_of(cls: Any) -> str:
    """The path by which another process finds the class or function; `InvalidModel` where it cannot."""
    module, name = cls.__module__, cls.__qualname__
    if module == "__main__" or "<locals>" in name or _named(sys.modules.get(module), name) is not cls:
        where = "a notebook cell or a script" if module == "__main__" else f"{name} of {module}"
        raise InvalidModel(
            f"the workers of a cluster cannot import {cls.__name__}: it was defined in {where}; put the "
            "model into a module, as with %%writefile bank.py, import it from there, and give that module to "
            "the workers: client.upload_file('bank.py')"
        )
    return f"{module}:{name}"


@cache
def class_at(path: str) -> Any:
    """The class that is found there. Raises `InvalidModel` where there is none."""
    module, _, name = path.partition(":")
    try:
        found = _named(import_module(module), name)
    except ImportError as error:
        raise _not_there(path, str(error)) from error
    if found is None:
        raise _not_there(path, f"the module {module} has no {name}")
    return found


def _named(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _not_there(path: str, why: str) -> InvalidModel:
    module = path.partition(":")[0]
    return InvalidModel(
        f"a worker cannot import {path}: {why}; install the package that has it on every worker, or send the "
        f"module there: client.upload_file('{module.replace('.', '/')}.py')"
    )
