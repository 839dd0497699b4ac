"""The command of a forked kernel: it asks for the fork, hands signals on to the kernel, and ends with it.

It imports little, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def ask(address: str, arguments: list[str]) -> int:
    """Have a kernel forked with these arguments, and wait until it ends; its exit code."""
    wanted = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109
    with socket.socket(socket.AF_UNIX) as fork:
        fork.connect(address)
        socket.send_fds(fork, [b"!"], [0, 1, 2])
        with fork.makefile("rw", encoding="utf-8") as lines:
            lines.write(json.dumps(wanted) + "\n")
            lines.flush()
            kernel = int(lines.readline())
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, _frame: os.killpg(kernel, number))
            return int(lines.readline())


if __name__ == "__main__":
    sys.exit(ask(sys.argv[1], sys.argv[2:]))
