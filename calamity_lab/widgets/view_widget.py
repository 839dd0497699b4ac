"""The widgets of a lab: each shows views of its trace at the cursor, and moves the cursor."""

from __future__ import annotations

import asyncio
import logging
import warnings
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from threading import RLock
from time import monotonic
from typing import Any
from uuid import uuid4

import anywidget
import IPython.display
import traitlets

from calamity_lab.errors import CalamityError, MissingExtra
from calamity_lab.views.agenda import when_previewed
from calamity_lab.views.log import as_text
from calamity_lab.widgets import front_end
from calamity_lab.widgets.actions import perform
from calamity_lab.widgets.contents import Contents, LabHandle
from calamity_lab.widgets.options import TABS
from calamity_lab.widgets.stills import docked_still, still

_log = logging.getLogger("calamity_lab")
# Not at random: a notebook that is run again shows the same.
_tokens = count(1)

_HEAD = ("controls", "branches")
_ALL = (*_HEAD, "search", "selected", "pointed", "chart", "agenda", "form", "stops", "details", "tabs", *TABS)
_SINGLE = ("fact", "details", "stops")
FACES: Mapping[str, tuple[str, ...]] = {
    "lab": _ALL,
    "controls": (*_HEAD, "stops"),
    "agenda": (*_SINGLE, "agenda", "form"),
    "timeline": (*_SINGLE, "selected", "pointed", "chart"),
    **{tab: (*_SINGLE, "selected", tab) for tab in TABS if tab != "exploring"},
}
"""What a widget can show, and the views that this needs."""

Picture = Callable[[str, str, Contents], str]
"""What makes the HTML of a picture, from a face, a token and contents."""

PAUSE = 0.1
"""Seconds between two messages that were not asked for, while the front end has not seen the first."""

SHARE = 10
"""Until the front end has asked for anything, a cell spends one part in so many on showing its steps."""


class ViewWidget(anywidget.AnyWidget):
    """One view, or several, in a cell of a notebook.

    ``face`` names what is drawn, see `FACES`; ``options`` are those of its views by name, until a person
    chooses others. The widget follows the stepper of the lab until it is closed.
    What was asked for is answered at once; what happens meanwhile is put together, not queued.
    ``first`` is all that the widget shows, as a message: it comes with the widget, since Python may be busy
    for long before it can answer anything.
    """

    face = traitlets.Unicode().tag(sync=True)
    token = traitlets.Unicode().tag(sync=True)
    first = traitlets.Dict().tag(sync=True)

    def __init__(self, lab: LabHandle, face: str = "lab", **options: Mapping[str, Any]) -> None:
        self._esm, self._css = front_end.script(), front_end.sheet()
        self.contents = Contents(lab, FACES[face])
        self.contents.options.update({view: dict(chosen) for view, chosen in options.items()})
        self._live = self._shown = self._answering = self._unseen = self._behind = False
        self._pictures: dict[Picture, str] = {}
        self._pictured: Any = None
        self._number, self._sent_at, self._pause, self._posting = 0, 0.0, PAUSE, RLock()
        super().__init__(face=face, token=f"{next(_tokens)}", first=self._whole())
        self._unobserve = _observe(self)
        self.on_msg(_hear)

    def close(self) -> None:
        """Take the widget off the page; it no longer follows the stepper."""
        self._unobserve()
        super().close()

    def still(self) -> str:
        """What the widget shows now as HTML that needs no kernel and no script."""
        return still(self.face, self.token, self.contents)

    def __repr__(self) -> str:
        if self.face == "log":  # so that a script can print it
            return as_text(self.contents.at_cursor("log"))
        stepper = self.contents.lab.stepper
        return f"the widget {self.face!r} at moment {stepper.cursor:,} of {stepper.trace.last:,}"

    def _ipython_display_(self, **_: Any) -> None:
        """Two outputs: the live widget, and a picture of it, which the widget hides while it lives."""
        if self.comm is not None:
            self.show()
            _display(self._repr_mimebundle_())
        self.show_picture(still)

    def show_picture(self, draw: Picture) -> None:
        """Display a picture of the widget; it is drawn anew when the page has been at rest for a while.

        So what is saved with a notebook is the moment that was seen last, and a step draws no picture. Where
        the widget is displayed again, the picture of the earlier output stays as it is.
        """
        self._pictures[draw] = uuid4().hex
        self._pictured = None
        self._draw_pictures({draw: self._pictures[draw]}, update=False)

    def _draw_pictures(self, pictures: Mapping[Picture, str], *, update: bool) -> None:
        stepper = self.contents.lab.stepper
        now = stepper.trace, stepper.cursor
        with self._posting:
            if self._pictured == now:
                return
            self._pictured = now if pictures == self._pictures else None
            for draw, display_id in pictures.items():
                html = draw(self.face, self.token, self.contents)
                _display(({"text/html": html}, {}), display_id=display_id, update=update)

    def hear(self, message: dict[str, Any]) -> None:
        """Do what the front end asks for, and answer with what changed."""
        if message.get("verb") == "nudge":
            return None  # it has done its work on the way here, see messages.js
        if message.get("verb") == "rests":
            return self._draw_pictures(self._pictures, update=True)
        if message.get("verb") == "seen":
            self._unseen = False
            return self._catch_up()
        if message.get("verb") == "ready" and message.get("has") != self._number:
            self.contents.forget()
        self._live = self._answering = True
        try:
            perform(self.contents, message)
        except CalamityError as error:
            self.contents.say(str(error), "error")
        except Exception as error:
            self.contents.say(f"{type(error).__name__}: {error}", "error")
            raise
        finally:
            self._answering = False
            self._answer(message.get("seq"))
        return None

    def _answer(self, seq: Any) -> None:
        """Answer what the front end asked for; an interrupt in here leaves nobody waiting."""
        try:
            more = {"more": True} if self.contents.under_way else {}
            found = self.contents.lab.exploration
            more |= {"explores": True} if found is not None and found.is_open else {}
            self._post(answers=seq, **more)
        except KeyboardInterrupt:
            self.contents.interrupted()
            self._post(answers=seq)
            raise

    def changed(self) -> None:
        """Follow the stepper, which was moved by somebody else."""
        if self._answering:
            return
        if getattr(self.comm, "_closed", False):
            # marimo closes what a cell made before it runs the cell again, and does not notify the widget.
            self.close()
            return
        self.contents.hush()
        self._behind = True
        is_due = not self._unseen or monotonic() - self._sent_at > self._pause
        if is_due and (self._live or self._shown):
            self._catch_up()

    def show(self) -> None:
        """Come with what is true now, and follow from now on: somebody is about to see the widget."""
        self._renew()
        self._shown = True

    def _renew(self) -> None:
        with self._posting:
            began = monotonic()
            self.first = self._whole()
            self._pause = max(PAUSE, SHARE * (monotonic() - began))

    def after_cell(self) -> None:
        """Show where a cell left the stepper: the next one may keep Python busy for long."""
        self._catch_up()

    def _catch_up(self) -> None:
        if not self._behind:
            return
        self._unseen = True
        if self._live:
            self._post()
        else:
            self._renew()

    def _post(self, **answers: Any) -> None:
        """Send what changed; a view that breaks says so, and does not stop the run."""
        # A cell may move the stepper in one thread while another answers: each goes on from the other.
        with self._posting:
            self._post_changes(answers)

    def _post_changes(self, answers: dict[str, Any]) -> None:
        message, buffers = self._message()
        self._pause = PAUSE
        self.send({**message, **answers}, buffers)

    def _whole(self) -> dict[str, Any]:
        """All that the widget shows, as a message that needs no other before it."""
        self.contents.forget()
        message, buffers = self._message()
        return {**message, "buffers": buffers}

    def _message(self) -> tuple[dict[str, Any], list[bytes]]:
        """What changed, as a message and its buffers."""
        self._behind, self._sent_at, self._number = False, monotonic(), self._number + 1
        try:
            changes = self.contents.changes()
        except Exception as error:  # noqa: BLE001 - it is shown and logged
            _log.exception("%r cannot be shown", self)
            sentence = f"This view cannot be shown: {type(error).__name__}: {error}"
            changes = {part: {"sentence": sentence, "tone": "error"} for part in ("fact", "controls")}
        self._await_previews()
        buffers: list[bytes] = []
        patch = _apart(changes, buffers)
        return {"patch": patch, "seq": self._number}, buffers

    def _await_previews(self) -> None:
        """Let a preview that comes late show itself, where a kernel has a loop to do it in."""
        loop = _kernel_loop() if "agenda" in self.contents.parts else None
        if loop is None:
            return
        reference = weakref.ref(self)

        def come() -> None:
            widget = reference()
            if widget is not None and (widget._live or widget._shown):
                widget._behind = True
                widget._catch_up()

        def soon() -> None:
            with suppress(RuntimeError):  # the loop was closed: the kernel ends
                loop.call_soon_threadsafe(come)

        when_previewed(self.contents.lab.stepper.trace, id(self), soon)


def _apart(changes: Any, buffers: list[bytes]) -> Any:
    """The changes, with each value of bytes moved to the buffers and its index in its place."""
    if isinstance(changes, bytes):
        buffers.append(changes)
        return {"buffer": len(buffers) - 1}
    if isinstance(changes, dict):
        return {name: _apart(value, buffers) for name, value in changes.items()}
    return changes


def _kernel_loop() -> asyncio.AbstractEventLoop | None:
    """The loop in which a kernel runs cells and answers widgets; None where there is none."""
    if getattr(IPython.get_ipython(), "kernel", None) is None:
        return None
    with suppress(RuntimeError):
        return asyncio.get_running_loop()
    return None


def _display(bundle: Any, **how: Any) -> None:
    data, metadata = bundle
    show: Any = IPython.display.display
    show(data, metadata=metadata, raw=True, **how)


def _hear(widget: ViewWidget, message: Any, _buffers: Any) -> None:
    widget.hear(message if isinstance(message, dict) else {})


def _observe(widget: ViewWidget) -> Callable[[], None]:
    """Let a widget follow its stepper without being kept alive by it."""
    reference = weakref.ref(widget)

    def calling(follow: Callable[[ViewWidget], object]) -> Callable[..., None]:
        def call(*_: Any) -> None:
            followed = reference()
            if followed is None:
                unobserve()
            else:
                follow(followed)

        return call

    end = widget.contents.lab.stepper.observe(calling(ViewWidget.changed))
    shell, after_cell = IPython.get_ipython(), calling(ViewWidget.after_cell)
    if shell is not None:
        shell.events.register("post_run_cell", after_cell)

    def unobserve() -> None:
        end()
        if shell is not None:
            # A widget may be closed twice.
            with suppress(ValueError):
                shell.events.unregister("post_run_cell", after_cell)

    return unobserve


# A widget beside the notebook, in a panel of JupyterLab's.

_NO_PLACE = (
    "lab.dock() needs JupyterLab, which has a place beside the notebook; in marimo let a cell end with lab, "
    "and without a notebook lab.to_html('run.html') writes a page"
)


class Dock:
    """A place beside the notebook that shows one widget."""

    def __init__(self, widget: ViewWidget) -> None:
        self.widget = widget
        self.title = "Lab"
        self._panel: Any = None

    def show(self) -> None:
        """Open the panel, or open it again: this object does not know whether the page closed it."""
        panel = _panel_class()(title=self.title, anchor="split-right")
        self.close()
        self.widget.show()
        data, metadata = self.widget._repr_mimebundle_() or ({}, {})
        # Not by displaying it in there: what is printed meanwhile belongs to the cell.
        panel.outputs = ({"output_type": "display_data", "data": data, "metadata": metadata},)
        self._panel = panel
        self.widget.show_picture(docked_still)

    def close(self) -> None:
        """Take the panel off the page; the widget may be shown elsewhere, or docked again."""
        if self._panel is not None:
            self._panel.close()
            self._panel = None

    def __repr__(self) -> str:
        return f"the dock {self.title!r}; close() takes it away"


def docked(dock: Dock, title: str | None) -> Dock | None:
    """Show a dock, under another title if one is given; None, and a warning, where nothing can be docked."""
    if getattr(IPython.get_ipython(), "kernel", None) is None:
        warnings.warn(_NO_PLACE, stacklevel=3)
        return None
    dock.title = title or dock.title
    dock.show()
    return dock


def _panel_class() -> Any:
    try:
        from sidecar import Sidecar
    except ImportError as error:
        raise MissingExtra("a lab beside the notebook", "sidecar", "dock") from error
    return Sidecar
