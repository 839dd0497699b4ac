"""Kernels for tests, forked from one process that has imported what they need: most of a start is importing.

Run as `python -m tests.browser.kernel_fork NUMBER`, this is that process; it listens at the socket with the
number of an open file. A kernel has a session, an environment and a folder of its own, as one that Jupyter
starts. There are no threads and no ZeroMQ context when it is forked.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ipykernel import kernelapp
from ipykernel.kernelspec import write_kernel_spec

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = (
    *("ipykernel.debugger", "sqlite3", "networkx", "calamity_lab.lab.magics"),
    *("calamity_lab.widgets.view_widget", "calamity_lab.widgets.stills"),
)
"""What kernels import before their first cell, or for the first lab that they show."""
ASK = Path(__file__).with_name("ask_for_kernel.py")


class KernelFork:
    """The process that forks kernels. When it stops, it ends its kernels.

    A Jupyter whose environment has the ``settings`` gets its kernels called python3 from it.
    """

    def __init__(self) -> None:
        # The path of a socket must be short.
        self._folder = tempfile.TemporaryDirectory(prefix="fork-")
        self._address = str(Path(self._folder.name) / "ask")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def settings(self) -> Mapping[str, str]:
        """Where Jupyter finds the kernel, before all others called python3."""
        return {"JUPYTER_PATH": self._folder.name}

    @property
    def command(self) -> list[str]:
        """The words that ask for a kernel and wait until it ends."""
        return [sys.executable, "-I", "-S", str(ASK), self._address, "-f", "{connection_file}"]

    def start(self) -> None:
        """Start the process. Whoever asks before it has imported everything waits."""
        write_kernel_spec(Path(self._folder.name) / "kernels" / "python3", overrides={"argv": self.command})
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self._address)
            listening.listen()
            number = listening.fileno()
            self._process = subprocess.Popen(
                (sys.executable, "-m", "tests.browser.kernel_fork", str(number)),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                pass_fds=[number],
                start_new_session=True,  # Ctrl-C is for whoever runs the tests
            )

    def stop(self) -> None:
        """End the process and its kernels."""
        if self._process is not None:
            self._process.communicate(timeout=20)
            self._process = None
        self._folder.cleanup()


class Forking:
    """Forks a kernel for each who asks at a socket, until the standard input ends."""

    def __init__(self, listening: socket.socket) -> None:
        if threading.active_count() > 1:
            raise RuntimeError(f"a fork would lose these threads: {threading.enumerate()}")
        self._listening = listening
        self._askers: dict[int, socket.socket] = {}
        """By the process id of the kernel."""
        self._woken, self._wakes = socket.socketpair()
        self._ready = selectors.DefaultSelector()

    def run(self) -> None:
        """Fork until the standard input ends, then end the kernels. In a kernel, run the kernel."""
        self._wakes.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno())
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        answers = ((sys.stdin, self._end_all), (self._listening, self._fork), (self._woken, self._note_ends))
        for source, answer in answers:
            self._ready.register(source, selectors.EVENT_READ, answer)
        while True:
            for key, _ in self._ready.select():
                key.data()

    def _fork(self) -> None:
        asker = self._listening.accept()[0]
        line, files = read(asker)
        if not line.endswith("\n"):  # whoever asked was killed meanwhile
            asker.close()
            return
        kernel = os.fork()
        if not kernel:
            self._ready.close()
            for each in (self._woken, self._wakes, self._listening, asker, *self._askers.values()):
                each.close()
            be_kernel(json.loads(line), files)
            sys.exit()
        for file in files:
            os.close(file)
        self._askers[kernel] = asker
        # Whoever asked says nothing more: there is something to read when he was killed.
        self._ready.register(asker, selectors.EVENT_READ, lambda: self._end(kernel))
        tell(asker, kernel)

    def _note_ends(self) -> None:
        self._woken.recv(4096)
        for kernel, asker in list(self._askers.items()):
            ended, status = os.waitpid(kernel, os.WNOHANG)
            if ended:
                del self._askers[kernel]
                self._ready.unregister(asker)
                tell(asker, os.waitstatus_to_exitcode(status))
                asker.close()

    def _end(self, kernel: int) -> None:
        if kernel in self._askers:
            with suppress(ProcessLookupError):
                os.killpg(kernel, signal.SIGKILL)

    def _end_all(self) -> None:
        for kernel in self._askers:
            self._end(kernel)
        sys.exit()


def read(asker: socket.socket) -> tuple[str, list[int]]:
    """The line with what somebody asks for, and the files that are to be the standard ones of the kernel."""
    _, files, _, _ = socket.recv_fds(asker, 1, 3)
    with asker.makefile("r", encoding="utf-8") as lines:
        return lines.readline(), files


def tell(asker: socket.socket, number: int) -> None:
    """Send a number to whoever asked, if nobody has killed him."""
    with suppress(BrokenPipeError):
        asker.sendall(f"{number}\n".encode())


def be_kernel(wanted: Any, files: list[int]) -> None:
    """Be the kernel that somebody asked for, until it ends."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    os.chdir(wanted["folder"])
    # A kernel ends when its parent does.
    sys.argv[1:] = [*wanted["arguments"], f"--IPKernelApp.parent_handle={os.getppid()}"]
    kernelapp.launch_new_instance()


if __name__ == "__main__":
    # As in a kernel: its own folder is the first place for modules, not ours.
    del sys.path[0]
    for name in IMPORTED:
        import_module(name)
    gc.freeze()
    Forking(socket.socket(fileno=int(sys.argv[1]))).run()
