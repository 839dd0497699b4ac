"""Traces of the example stories, run to their end."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.stack import Stack
from calamity_lab.model import Model
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Trace


def stepper_of(
    *commands: Any,
    managers: Iterable[type] = (bank.Transfer,),
    projections: Iterable[type] = (),
    **stack: Any,
) -> Stepper:
    """A stepper with those commands on its agenda; the same commands give the same trace."""
    given = {"process_manager_types": tuple(managers), "ids": seeded_ids(1), "clock": ticking_clock()}
    stepper = Stepper(Stack(**{**given, **stack}), checked=False, model=Model(projections=tuple(projections)))
    if commands:
        stepper.submit(*commands)
    return stepper


def trace_of(*commands: Any, **given: Any) -> Trace:
    """The trace of those commands, run to their end; what is given is as for `stepper_of`."""
    stepper = stepper_of(*commands, **given)
    stepper.resume()
    return stepper.trace


def story_of(domain: ModuleType) -> Trace:
    return trace_of(*domain.story(), managers=Model.find(domain).process_managers)
