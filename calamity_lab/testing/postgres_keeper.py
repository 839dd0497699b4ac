"""Keeps a throwaway server: runs the commands it is told, and ends the server once nobody tells it any more.

A script of its own, in a process of its own, so that it outlives whoever asked for the server: when that
process is killed, what it would have cleaned up is cleaned up here. It therefore needs the standard library
only. Each line it is told is a JSON list, the words of a command; each line it answers is the command's
return code and what the command said. An empty list, or the end of the lines, is the end.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any


def main(directory: Path, pg_ctl: str, options: Mapping[str, Any]) -> None:
    """Run what is told line by line; then end the server, if it runs, and tidy away."""
    data = directory / "data"
    adopt()
    try:
        for line in sys.stdin:
            words = json.loads(line)
            if not words:
                break
            answer(run(words, directory, options))
            bury(os.WNOHANG)
    finally:
        if (data / "postmaster.pid").exists():
            run([pg_ctl, "--wait", "--mode=immediate", f"--pgdata={data}", "stop"], directory, options)
            bury(os.WNOHANG if (data / "postmaster.pid").exists() else 0)
        shutil.rmtree(directory)


def adopt() -> None:
    """Become the parent of servers that their starter leaves behind, where the system has that.

    Else a machine whose first process does not look after orphans, as in a container, keeps them as zombies.
    """
    if sys.platform == "linux":
        PR_SET_CHILD_SUBREAPER = 36  # noqa: N806 - the system's name
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def bury(how: int) -> None:
    """Take note of the end of processes that were adopted, so that nothing is left of them."""
    if sys.platform == "linux":
        with suppress(ChildProcessError):
            while os.waitpid(-1, how)[0]:
                pass


def answer(said: tuple[int, str]) -> None:
    """Tell what a command returned and said."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def run(words: Sequence[str], directory: Path, options: Mapping[str, Any]) -> tuple[int, str]:
    """The return code of a command and what it said.

    That goes into a file, not a pipe: a server that stays behind would hold the pipe open.
    """
    said = directory / "said"
    with said.open("w+", encoding="utf-8", errors="replace") as out:
        try:
            ended = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
                check=False,
                **options,
            )
        except OSError as error:
            return 127, str(error)
        out.seek(0)
        return ended.returncode, out.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
