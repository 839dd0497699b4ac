"""How benchmarks measure: in alternating rounds, so that a busy machine is unfair to all alike."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

ROUNDS = 5
ROOT = Path(__file__).resolve().parents[2]


def seconds(work: Callable[[], Any], clock: Callable[[], float] = perf_counter) -> float:
    """How long the work takes; its result is kept until the clock has stopped."""
    gc.collect()
    began = clock()
    kept = work()
    took = clock() - began
    del kept
    return took


def of_all_processes() -> float:
    """The time that processors have spent on this process, and on those that it started and that ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def medians(
    works: Mapping[str, Callable[[], Any]],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = perf_counter,
) -> dict[str, float]:
    """The median time of each, from rounds in which they take turns."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work, clock))
    return {name: median(taken) for name, taken in times.items()}


def table(times: Mapping[str, float], per: int, unit: str = "µs") -> list[str]:
    """One line each: the time for one of `per` pieces of work, and the ratio to the first."""
    scale = {"µs": 1e6, "ms": 1e3, "s": 1.0}[unit]
    first = next(iter(times.values()))
    width = max(map(len, times))
    return [
        f"{name:<{width}}  {time / per * scale:9.1f} {unit}  {time / first:6.2f} times the first"
        for name, time in times.items()
    ]


def fresh(source: str) -> str:
    """What a program prints in an interpreter of its own, that nothing from here has touched."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()
