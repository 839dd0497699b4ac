"""Puzzles and protocols whose numbers of states are published, each as an aggregate with one command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from calamity_lab import Decider, Run, Stack, begin, command, seeded_ids, ticking_clock

Moves = Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Moved:
    to: Any


@dataclass(frozen=True)
class Puzzle:
    """A puzzle to explore: its commands, its start and its position in a stack."""

    commands: Callable[[Stack], Iterable[Any]]
    start: Run
    position: Callable[[Stack], Any]


def puzzle(name: str, initial: Any, moves: Moves) -> Puzzle:
    """The puzzle that begins at a position, and whose moves lead to others."""

    def decide(move: Any, position: Any) -> Moved:
        return Moved(moves(position)[move.label])

    def evolve(position: Any, event: Moved) -> Any:
        return event.to

    decider = Decider(name, initial, decide, evolve)

    @command(to=decider, by="game")
    @dataclass(frozen=True)
    class Move:
        game: str
        label: str

    def position(stack: Stack) -> Any:
        state = stack.aggregates.get(f"{name}-1")
        return initial if state is None else state.state

    return Puzzle(
        lambda stack: [Move("1", label) for label in moves(position(stack))],
        begin(Stack(ids=seeded_ids(1), clock=ticking_clock())),
        position,
    )


def jugs() -> Puzzle:
    """Two jugs of 3 and 5 litres: 16 states, 4 litres after 6 moves (DieHard.tla of TLA+)."""

    def moves(levels: tuple[int, int]) -> dict[str, tuple[int, int]]:
        small, big = levels
        to_big, to_small = min(small, 5 - big), min(big, 3 - small)
        found = {
            "fill small": (3, big),
            "fill big": (small, 5),
            "empty small": (0, big),
            "empty big": (small, 0),
            "small to big": (small - to_big, big + to_big),
            "big to small": (small + to_small, big - to_small),
        }
        return {label: after for label, after in found.items() if after != levels}

    return puzzle("Jugs", (0, 0), moves)


RMS = (0, 1, 2)


def two_phase_commit() -> Puzzle:
    """Two-phase commit with 3 resource managers: 288 states (Gray and Lamport, TwoPhase.tla)."""

    def moves(state: Any) -> dict[str, Any]:
        rms, tm, heard, messages = state
        found: dict[str, Any] = {}
        if tm == "init":
            for rm in RMS:
                if ("prepared", rm) in messages and rm not in heard:
                    found[f"hear {rm}"] = (rms, tm, heard | {rm}, messages)
            if heard == set(RMS):
                found["commit"] = (rms, "committed", heard, messages | {"commit"})
            found["abort"] = (rms, "aborted", heard, messages | {"abort"})
        for rm in RMS:

            def became(status: str, *sent: Any, rm: int = rm) -> Any:
                return (*rms[:rm], status, *rms[rm + 1 :]), tm, heard, messages | set(sent)

            if rms[rm] == "working":
                found[f"prepare {rm}"] = became("prepared", ("prepared", rm))
                found[f"give up {rm}"] = became("aborted")
            orders = {"committed": "commit", "aborted": "abort"}
            obeyed = [status for status, order in orders.items() if order in messages and rms[rm] != status]
            found |= {f"{status} {rm}": became(status) for status in obeyed}
        return found

    nothing: frozenset[Any] = frozenset()
    return puzzle("TwoPhase", (("working",) * 3, "init", nothing, nothing), moves)


def missionaries() -> Puzzle:
    """3 missionaries, 3 cannibals, a boat for 2: over in 11 crossings (Amarel, 1968)."""

    def moves(state: tuple[int, int, int]) -> dict[str, Any]:
        m, c, side = state  # who is on the first bank, and where the boat is
        sign = -1 if side == 0 else 1
        found = {}
        for dm, dc in ((1, 0), (2, 0), (0, 1), (0, 2), (1, 1)):
            m2, c2 = m + sign * dm, c + sign * dc
            is_safe = (m2 in {0, m2} and (m2 == 0 or m2 >= c2)) and (m2 == 3 or 3 - m2 >= 3 - c2)
            if 0 <= m2 <= 3 and 0 <= c2 <= 3 and is_safe:
                found[f"{dm} {dc}"] = (m2, c2, 1 - side)
        return found

    return puzzle("River", (3, 3, 0), moves)


def wolf() -> Puzzle:
    """The wolf, the goat and the cabbage: 10 safe states, over in 7 crossings (Alcuin, about 800)."""

    def is_safe(bank: frozenset[str]) -> bool:
        return "farmer" in bank or not ({"wolf", "goat"} <= bank or {"goat", "cabbage"} <= bank)

    everybody = frozenset({"farmer", "wolf", "goat", "cabbage"})

    def moves(left: frozenset[str]) -> dict[str, Any]:
        here = left if "farmer" in left else everybody - left
        found = {}
        for other in here:
            after = left ^ {"farmer", other}
            if is_safe(after) and is_safe(everybody - after):
                found[other] = after
        return found | _alone(left, is_safe, everybody)

    return puzzle("Wolf", everybody, moves)


def _alone(left: frozenset[str], is_safe: Any, everybody: frozenset[str]) -> dict[str, Any]:
    after = left ^ {"farmer"}
    return {"farmer": after} if is_safe(after) and is_safe(everybody - after) else {}


def hanoi() -> Puzzle:
    """The tower of Hanoi with 3 discs: 27 states, solved in 7 moves (Lucas, 1883)."""

    def moves(pegs: tuple[int, ...]) -> dict[str, Any]:
        top: dict[int, int] = {}
        for disc, peg in enumerate(pegs):
            top.setdefault(peg, disc)
        return {
            f"{peg} to {to}": (*pegs[:disc], to, *pegs[disc + 1 :])
            for peg, disc in top.items()
            for to in range(3)
            if to != peg and top.get(to, 9) > disc
        }

    return puzzle("Hanoi", (0, 0, 0), moves)


def sliding() -> Puzzle:
    """Five tiles on 2 x 3: 360 states, the furthest 21 moves away (Karlemo and Ostergard, 2000)."""

    def moves(tiles: tuple[int, ...]) -> dict[str, Any]:
        gap = tiles.index(0)
        row, column = divmod(gap, 3)
        found = {}
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= r < 2 and 0 <= c < 3:
                swapped = list(tiles)
                swapped[gap], swapped[3 * r + c] = swapped[3 * r + c], 0
                found[f"{tiles[3 * r + c]}"] = tuple(swapped)
        return found

    return puzzle("Tiles", (1, 2, 3, 4, 5, 0), moves)


CROSS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))


def lights() -> Puzzle:
    """Lights Out on 3 x 3: all 512 states, the furthest 9 presses away (Anderson and Feil, 1998)."""

    def moves(lit: frozenset[int]) -> dict[str, Any]:
        found = {}
        for cell in range(9):
            row, column = divmod(cell, 3)
            cross = {
                3 * r + c
                for r, c in (
                    (row, column),
                    (row - 1, column),
                    (row + 1, column),
                    (row, column - 1),
                    (row, column + 1),
                )
                if 0 <= r < 3 and 0 <= c < 3
            }
            found[f"{cell}"] = lit ^ cross
        return found

    return puzzle("Lights", frozenset(), moves)


@cache
def threads(count: int) -> Puzzle:
    """Threads that read a shared counter and then write one more: 13 states for 2, 84 for 3."""

    def moves(state: Any) -> dict[str, Any]:
        counter, *those = state
        found = {}
        for n, (at, read) in enumerate(those):
            if at == "begun":
                found[f"{n} reads"] = (counter, *those[:n], ("read", counter), *those[n + 1 :])
            elif at == "read":
                found[f"{n} writes"] = (read + 1, *those[:n], ("done", read), *those[n + 1 :])
        return found

    return puzzle("Threads", (0, *[("begun", 0)] * count), moves)


def queens(size: int) -> Puzzle:
    """Queens on a board, row by row: 92 ways to put 8 of them (Nauck, 1850)."""

    def moves(columns: tuple[int, ...]) -> dict[str, Any]:
        row = len(columns)
        if row == size:
            return {}
        return {
            f"{column}": (*columns, column)
            for column in range(size)
            if all(column != c and abs(column - c) != row - r for r, c in enumerate(columns))
        }

    return puzzle("Queens", (), moves)
