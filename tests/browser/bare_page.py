"""A widget on an empty page: its Python runs here, its front end in Chromium, no notebook between them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from playwright.sync_api import Page

from calamity_lab.lab import Lab
from calamity_lab.widgets import front_end
from calamity_lab.widgets.view_widget import ViewWidget
from tests.browser.browser import Guard, listen
from tests.browser.lab_widget import Composite

# `latency` is how long each answer takes, in milliseconds; it waits for `held`, too. Answers come in order.
MODEL = """
window.latency = 0;
window.held = Promise.resolve();
window.listeners = [];
let answered = Promise.resolve();
window.unpacked = (text) =>
  new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
window.deliver = (messages) => {
  for (const [message, buffers] of messages) {
    for (const listen of listeners) listen(message, buffers.map(unpacked));
  }
};
window.model = (face, first) => ({
  get: (name) => ({ face, token: 'bare', recorded: false, first })[name],
  on: (name, listen) => { if (name === 'msg:custom') listeners.push(listen); },
  off: (_name, listen) => listeners.splice(listeners.indexOf(listen), 1),
  send(message) {
    if (['nudge', 'rests'].includes(message.verb)) return;
    answered = answered.then(async () => {
      const messages = await python(message);
      if (latency) await new Promise((resolve) => setTimeout(resolve, latency));
      await held;
      deliver(messages);
    });
  },
});
"""
PAGE = """<!doctype html><html lang="en"><title>A lab</title>
<body data-jp-theme-light="{light}" style="margin: 0; background: {paper}">
<main style="width: {width}px"></main>
<style>{style}</style><script>{model}</script><script type="module">{script}
window.render = render;</script>"""

RENDER = """([face, first]) => {
  const whole = { ...first, buffers: first.buffers.map(unpacked) };
  render({ model: model(face, whole), el: document.querySelector('main') });
}"""

ANSWERED = "() => document.querySelector('.cl-root:not([data-asked])')"
SHOWN = "moment => document.querySelector('.cl-root input[aria-label=Moment]').value === moment"


class BarePage(Composite):
    """A lab's composite, or one of its views, on a page of its own; what the page raises fails at `check`."""

    def __init__(
        self,
        page: Page,
        lab: Lab,
        widget: ViewWidget | None = None,
        *,
        width: int = 1000,
        theme: str = "light",
    ) -> None:
        self.page, self.lab, self.guard = page, lab, Guard(page)
        self.asked: list[dict[str, Any]] = []
        self.widget = widget or ViewWidget(lab)
        self._answers: list[Any] | None = None
        self.widget.send = self._send
        light = theme == "light"
        listen(page, self._hear)
        page.set_content(
            PAGE.format(
                light=str(light).lower(),
                paper="white" if light else "#111418",
                width=width,
                style=front_end.sheet(),
                model=MODEL,
                script=front_end.script(),
            )
        )
        first = self.widget.first
        page.evaluate(RENDER, [self.widget.face, {**first, "buffers": _texts(first["buffers"])}])
        self.root = page.locator(".cl-root")
        self.settle()

    def widen(self, width: int) -> None:
        """Give the widget this width, in CSS pixels."""
        self.page.evaluate("width => { document.querySelector('main').style.width = `${width}px`; }", width)
        self.page.wait_for_timeout(60)
        self.settle()

    def settle(self) -> None:
        """Wait until all that was asked is answered and shown, as of the moment at which Python is."""
        self.page.wait_for_timeout(30)
        self.page.wait_for_function(ANSWERED, polling=10)
        if self.widget.face == "lab":
            self.page.wait_for_function(SHOWN, arg=str(self.lab.cursor), polling=10)

    def check(self) -> None:
        """Raise an AssertionError if the page raised an error or asked anybody for anything."""
        self.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 0))")
        self.guard.check()

    def _hear(self, message: dict[str, Any]) -> list[Any]:
        self.asked.append(message)
        answers: list[Any] = []
        self._answers = answers
        try:
            self.widget.hear(message)
        finally:
            self._answers = None
        return answers

    def _send(self, content: dict[str, Any], buffers: Any = None) -> None:
        message = [content, _texts(buffers or ())]
        if self._answers is not None:
            self._answers.append(message)
        else:
            self.page.evaluate("messages => deliver(messages)", [message])


def _texts(buffers: Iterable[bytes]) -> list[str]:
    return [b64encode(buffer).decode() for buffer in buffers]
