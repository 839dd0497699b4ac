"""Runs the programs of a temporary server, and stops and removes the server when its caller has ended.

This is a script for a process of its own, which outlives its caller: when the caller is killed, this process
cleans up. It needs the standard library only. Each input line is a JSON list, the words of a command; each
output line is the command's exit code and output. An empty list, or the end of the input, is the end.
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
    """Run the commands line by line; then stop the server, if it runs, and remove its directory."""
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
    """Become the parent of servers that their starter leaves behind, where the system allows it.

    Else a machine whose first process does not look after orphans, as in a container, keeps them as zombies.
    """
    if sys.platform == "linux":
        PR_SET_CHILD_SUBREAPER = 36  # noqa: N806 - the system's name
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def bury(how: int) -> None:
    """Collect the exit codes of adopted processes, so that no zombies are left."""
    if sys.platform == "linux":
        with suppress(ChildProcessError):
            while os.waitpid(-1, how)[0]:
                pass


def answer(said: tuple[int, str]) -> None:
    """Write a command's exit code and output."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def run(words: Sequence[str], directory: Path, options: Mapping[str, Any]) -> tuple[int, str]:
    """The exit code of a command and its output.

    The output goes into a file, not a pipe: a server that stays behind would hold the pipe open.
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
