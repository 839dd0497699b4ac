"""A notebook run by a real kernel without a front end: what its cells show, and what its widgets say."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from nbformat import v4

from scripts.execute_notebooks import QUIET
from tests.browser.kernel_fork import KernelFork
from tests.browser.lab_page import ESCAPES, CellFailed

# nbformat has no types.
NEW_CELL: Callable[[str], Any] = v4.new_code_cell
OUTPUT: Callable[[Any], Any] = v4.output_from_msg
PATIENCE = 120.0
"""Seconds until an answer of the kernel is given up."""

Event = tuple[Any, ...]
"""What a page has to take over: the name of a function in `plain_page.js`, and its arguments."""


class ForkedKernel(KernelManager):
    """A kernel that `KernelFork` forks."""

    words: Sequence[str] = ()

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command that asks for the kernel."""
        return KernelSpec(argv=list(self.words), display_name="Python 3", language="python")


class NotebookRun:
    """A kernel and the cells that it runs; a page takes over what has happened, and shows it.

    ``words`` are more options of the kernel's command, ``settings`` more of its environment. The kernel
    hears the id of each cell, as from JupyterLab, unless ``names_cells`` is False, as from nbclient.
    """

    def __init__(
        self,
        fork: KernelFork,
        folder: Path,
        words: Sequence[str] = (),
        *,
        names_cells: bool = True,
        **settings: str,
    ) -> None:
        self._names_cells = names_cells
        self.cells: list[Any] = []
        self._events: list[Event] = []
        self._asked: dict[str, int] = {}
        self._displays: dict[str, list[tuple[int, int]]] = {}
        self._manager = ForkedKernel()
        self._manager.words = [*fork.command, QUIET, *words]
        self._manager.start_kernel(cwd=str(folder), env={**os.environ, **settings})
        self._client: BlockingKernelClient = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def load(self, cells: Sequence[Any]) -> None:
        """Append cells, given as they are in a notebook's file or as the source of a code cell."""
        for cell in cells:
            self._events.append(("addCell",))
            self.cells.append(NEW_CELL(cell) if isinstance(cell, str) else cell)

    def run_all(self) -> None:
        """Run every cell; CellFailed carries the traceback of the first one that raises."""
        for index, cell in enumerate(self.cells):
            if cell.cell_type == "code":
                self.run(index)

    def run(self, index: int) -> None:
        """Run one cell; CellFailed carries its traceback if it raises."""
        cell = self.cells[index]
        cell.execution_count = None
        self._clear(index)
        if not cell.source.strip():
            return
        reply = self._reply(self._execute(cell.source, index))
        cell.execution_count = reply["execution_count"]
        if reply["status"] != "ok":
            raise CellFailed(f"cell {index}:\n" + ESCAPES.sub("", "\n".join(reply["traceback"])))

    def python(self, expression: str) -> str:
        """The `repr` of a Python expression in the kernel, asked beside the cells."""
        asked = self._execute("", user_expressions={"value": expression}, store_history=False)
        answer = self._reply(asked)["user_expressions"]["value"]
        if answer["status"] != "ok":
            raise CellFailed(f"{expression}: {answer['ename']}: {answer['evalue']}")
        return str(answer["data"]["text/plain"])

    def tell(self, model: str, content: Any) -> None:
        """Send what a widget's front end says, and wait until Python has done it."""
        data = {"method": "custom", "content": content}
        self._wait_for_idle(self._send("comm_msg", {"comm_id": model, "data": data}))

    def catch_up(self) -> list[Event]:
        """What has happened since this was last asked."""
        while self._client.iopub_channel.msg_ready():
            self._take(self._client.iopub_channel.get_msg())
        events, self._events = self._events, []
        return events

    def _execute(self, source: str, index: int | None = None, **more: Any) -> str:
        content = {"code": source, "allow_stdin": False, **more}
        if index is None:
            return self._send("execute_request", content)
        metadata = {"cellId": self.cells[index].id} if self._names_cells else None
        asked = self._send("execute_request", content, metadata)
        self._asked[asked] = index
        return asked

    def _send(self, kind: str, content: Any, metadata: Any = None) -> str:
        message = self._client.session.msg(kind, content, metadata=metadata)
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def _reply(self, asked: str) -> Any:
        self._wait_for_idle(asked)
        while True:
            reply = self._client.shell_channel.get_msg(timeout=PATIENCE)
            if reply["parent_header"]["msg_id"] == asked:
                return reply["content"]

    def _wait_for_idle(self, asked: str) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            message = self._client.iopub_channel.get_msg(timeout=until - time.monotonic())
            self._take(message)
            is_ours = message["parent_header"].get("msg_id") == asked
            if is_ours and message["content"].get("execution_state") == "idle":
                return

    def _take(self, message: Any) -> None:
        content, kind = message["content"], message["msg_type"]
        index = self._asked.get(message["parent_header"].get("msg_id"))
        if kind in ("comm_open", "comm_msg"):
            self._take_comm(content["comm_id"], content["data"], message["buffers"])
        elif kind == "update_display_data":
            for index, place in self._displays[content["transient"]["display_id"]]:
                self.cells[index].outputs[place].data = content["data"]
                self._show(index, place)
        elif index is not None and kind == "clear_output":
            self._clear(index)
        elif index is not None and kind in ("stream", "display_data", "execute_result", "error"):
            self._show_more(index, OUTPUT(message), content.get("transient"))

    def _take_comm(self, model: str, data: Any, buffers: Sequence[Any]) -> None:
        texts = [b64encode(buffer).decode() for buffer in buffers]
        if data.get("method") == "custom":
            self._events.append(("hear", model, data["content"], texts))
        elif "state" in data:
            state = data["state"]
            for path, text in zip(data.get("buffer_paths", ()), texts, strict=True):
                _put(state, path, {"base64": text})
            self._events.append(("keep", model, state))

    def _show_more(self, index: int, output: Any, transient: Any) -> None:
        outputs = self.cells[index].outputs
        for place, other in enumerate(outputs):
            if output.output_type == "stream" == other.output_type and output.name == other.name:
                other.text += output.text
                return self._show(index, place)
        if transient and "display_id" in transient:
            self._displays.setdefault(transient["display_id"], []).append((index, len(outputs)))
        outputs.append(output)
        return self._show(index, len(outputs) - 1)

    def _show(self, index: int, place: int) -> None:
        self._events.append(("show", index, place, self.cells[index].outputs[place]))

    def _clear(self, index: int) -> None:
        self.cells[index].outputs = []
        self._events.append(("clear", index))
        for shown in self._displays.values():
            shown[:] = [each for each in shown if each[0] != index]


def _put(state: Any, path: Sequence[Any], value: Any) -> None:
    """Put a value into nested containers, where a message names the place of one of its buffers."""
    *before, last = path
    for name in before:
        state = state[name]
    state[last] = value
