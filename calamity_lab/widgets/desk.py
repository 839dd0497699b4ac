"""What a widget stands on: anything that has a stepper and a model."""

from __future__ import annotations

from typing import Protocol

from calamity_lab.model import Model
from calamity_lab.stepper import Stepper


class Desk(Protocol):
    """A cursor on a recorded run, and the model whose commands can be sent; a `Lab` is one."""

    @property
    def stepper(self) -> Stepper: ...

    @property
    def model(self) -> Model: ...
