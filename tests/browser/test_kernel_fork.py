"""A forked kernel behaves as one that Jupyter started: told to stop, killed, or left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from tests.browser.kernel_fork import KernelFork

Kernel = tuple[KernelManager, BlockingKernelClient]


def start(fork: KernelFork, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Kernel:
    for name, value in fork.settings.items():
        monkeypatch.setenv(name, value)
    return start_new_kernel(cwd=str(folder))


@pytest.fixture
def kernel(kernel_fork: KernelFork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Kernel]:
    manager, client = start(kernel_fork, monkeypatch, tmp_path)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def printed(client: BlockingKernelClient, source: str) -> str:
    """What a cell prints, or the name of the error that it raises."""
    texts: list[str] = []

    def note(message: dict[str, dict[str, str]]) -> None:
        texts.extend(message["content"][name] for name in ("text", "ename") if name in message["content"])

    client.execute_interactive(source, output_hook=note, timeout=20)
    return "".join(texts)


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_end(process: int) -> None:
    until = time.monotonic() + 60
    while is_there(process):
        assert time.monotonic() < until, "the kernel is still there"
        time.sleep(0.02)


def test_a_kernel_has_its_own_folder_environment_session_and_modules(
    kernel: Kernel, kernel_fork: KernelFork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("CALAMITY_TEST", "other")
    manager, client = start(kernel_fork, monkeypatch, other)
    asked = "import os, random; x = __name__; print(os.getcwd(), os.environ.get('CALAMITY_TEST'))"
    assert printed(client, asked).split() == [str(other), "other"]
    assert printed(kernel[1], asked).split() == [str(tmp_path), "None"]
    process = "print(os.getppid(), os.getsid(0) == os.getpid(), 'pandas' in __import__('sys').modules)"
    assert printed(client, process) == printed(kernel[1], process)
    assert printed(client, "print(random.random())") != printed(kernel[1], "print(random.random())")
    client.stop_channels()
    manager.shutdown_kernel()
    assert not manager.is_alive()


def test_an_interrupt_reaches_the_kernel_and_a_restart_gives_a_new_one(kernel: Kernel) -> None:
    manager, client = kernel
    first = int(printed(client, "import os, signal; print(os.getpid())"))
    asker = manager.provisioner.process.pid  # type: ignore[union-attr]
    source = f"import time; os.kill({asker}, signal.SIGINT)\nwhile True: time.sleep(0.01)"
    assert printed(client, source) == "KeyboardInterrupt"
    manager.restart_kernel()
    client.wait_for_ready(timeout=20)
    assert int(printed(client, "import os; print(os.getpid())")) != first
    wait_for_end(first)


def test_a_kernel_whose_command_is_killed_ends(kernel: Kernel) -> None:
    manager, client = kernel
    process = int(printed(client, "import os; print(os.getpid())"))
    manager.shutdown_kernel(now=True)
    wait_for_end(process)


def test_a_kernel_that_ends_itself_ends_its_command(kernel: Kernel) -> None:
    manager, client = kernel
    client.execute("import os; os._exit(3)")
    assert manager.provisioner.process.wait(timeout=10) == 3  # type: ignore[union-attr]


def test_no_kernel_outlives_the_process_that_forks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with KernelFork() as fork:
        manager, client = start(fork, monkeypatch, tmp_path)
        process = int(printed(client, "import os; print(os.getpid())"))
        client.stop_channels()
    wait_for_end(process)
    manager.shutdown_kernel(now=True)
