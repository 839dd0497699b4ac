// Buttons, pagers, search boxes and handles, as every view uses them.

import { choiceOf, clamp, count, make, put, setText, show } from "./elements.js";
import { icon } from "./signs.js";

/**
 * A button with an icon. Its name is its text, or `label` where there is no room for a text.
 * @typedef {{
 *   icon?: string, text?: string, label?: string, title?: string, kind?: string, on?: (event: Event) => void,
 * }} ButtonOptions
 * @param {ButtonOptions} options
 */
export function button({ icon: name, text, label, title, on = () => {}, kind = "" }) {
  return make("button", { type: "button", class: `cl-button ${kind}`, "aria-label": label, title, on: { click: on } },
    name ? icon(name) : null, text ? make("span", { class: "cl-button-text", text }) : null);
}

/** Marks a button that can do nothing now; the focus can still reach it. */
export function disable(/** @type {Element} */ node, /** @type {boolean} */ disabled) {
  put(node, "aria-disabled", disabled ? "true" : null);
}

export function isDisabled(/** @type {Element} */ node) {
  return node.getAttribute("aria-disabled") === "true";
}

/**
 * A line in which a text is entered, opened on demand. `done` gets the text; Escape or Cancel leaves it.
 * @param {string} label @param {(text: string) => void} done @param {() => void} [left]
 */
export function textEntry(label, done, left = () => {}) {
  const input = make("input", { type: "text", class: "cl-input", "aria-label": label, placeholder: label });
  const close = () => {
    show(form, false);
    left();
  };
  const form = make("form", { class: "cl-text-entry", hidden: true }, input,
    make("button", { type: "submit", class: "cl-button cl-small", text: "Keep" }),
    button({ text: "Cancel", kind: "cl-small cl-quiet", on: close }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!input.value.trim()) return input.focus();
    const text = input.value;
    close();
    done(text);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    close();
  });
  return { node: form, open() {
    input.value = "";
    show(form, true);
    input.focus();
  } };
}

/**
 * Lets a button open and close a list; Escape closes it. `opened` hears that it is open.
 * @param {HTMLElement} toggle @param {HTMLElement} list @param {() => void} [opened]
 */
export function discloses(toggle, list, opened = () => {}) {
  put(toggle, "aria-controls", list.id);
  function open(/** @type {boolean} */ opens) {
    show(list, opens);
    put(toggle, "aria-expanded", opens ? "true" : "false");
    if (opens) opened();
  }
  toggle.addEventListener("click", () => open(list.hidden === true));
  for (const part of [toggle, list]) {
    part.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || list.hidden) return;
      open(false);
      toggle.focus();
      event.stopPropagation();
    });
  }
  open(false);
  return open;
}

/** The way through a long list: back, the part that is shown, and on; `go` gets the number of the first item. */
export function pager(/** @type {string} */ noun, /** @type {(first: number) => void} */ go) {
  const back = button({ icon: "left", label: `Earlier ${noun}`, title: `Earlier ${noun}`, kind: "cl-small",
    on: () => turn(-1) });
  const on = button({ icon: "right", label: `Further ${noun}`, title: `Further ${noun}`, kind: "cl-small",
    on: () => turn(1) });
  const where = make("span", { class: "cl-muted" });
  const node = make("span", { class: "cl-pager" }, back, where, on);
  let page = { first: 0, shown: 0, total: 0, size: 1 };
  function turn(/** @type {number} */ direction) {
    if (isDisabled(direction < 0 ? back : on)) return;
    go(Math.max(0, page.first + direction * page.size));
  }
  return {
    node,
    /** @param {number} first @param {number} shown @param {number} total @param {number} size */
    update(first, shown, total, size) {
      page = { first, shown, total, size };
      setText(where, total ? `${count(first + 1)}–${count(first + shown)} of ${count(total)}` : "none");
      disable(back, first === 0);
      disable(on, first + shown >= total);
      show(node, total > shown);
    },
  };
}

/** A search box that asks once the typing rests for a moment; `askNow` does not wait for that. */
export function searchBox(/** @type {string} */ label, /** @type {(query: string) => void} */ ask) {
  let resting = 0;
  const input = make("input", { type: "search", class: "cl-input cl-search", "aria-label": label, placeholder: label });
  const field = Object.assign(input, {
    askNow() {
      if (!resting) return;
      clearTimeout(resting);
      resting = 0;
      ask(field.value);
    },
  });
  field.addEventListener("input", () => {
    clearTimeout(resting);
    resting = window.setTimeout(field.askNow, 120);
  });
  return field;
}

// A handle makes a pane as high, or a column as wide, as a person wants: dragged, or moved by the arrow keys.

// This module is evaluated once for each model: sizes are kept as long as it lives, in whatever cell it is drawn.
/** @type {Map<string, number>} */
const SIZES = new Map();
const SIZE_KEYS = {
  height: { ArrowUp: -16, ArrowDown: 16, PageUp: -96, PageDown: 96 },
  width: { ArrowLeft: -16, ArrowRight: 16, PageUp: -96, PageDown: 96 },
};

/**
 * `property` is the CSS variable on the root with the size of the pane, in pixels from `least` to what `most`
 * answers. Until the handle is moved, the sheet decides. `sized` is called when a person has changed it.
 * @param {HTMLElement} root @param {HTMLElement} pane
 * @param {{
 *   label: string, property: string, least: number, most: () => number, way?: "height" | "width", sized?: () => void,
 * }} options
 */
export function mountHandle(root, pane, { label, property, least, most, way = "height", sized = () => {} }) {
  const node = make("div", { class: `cl-handle cl-handle-${way}`, role: "separator", tabindex: "0",
    "aria-orientation": way === "height" ? "horizontal" : "vertical", "aria-label": label,
    title: `${label}: drag, or press the arrow keys` }, icon(way));
  /** @type {{ from: number, size: number } | null} */
  let grip = null;

  const measured = () => (way === "height" ? pane.offsetHeight : pane.offsetWidth);
  const at = (/** @type {PointerEvent} */ event) => (way === "height" ? event.clientY : event.clientX);
  function bounded(/** @type {number} */ size) {
    return Math.round(clamp(size, least, Math.max(least, most())));
  }
  function set(/** @type {number} */ size) {
    SIZES.set(property, bounded(size));
    apply();
    publish();
    sized();
  }
  function apply() {
    if (SIZES.has(property)) root.style.setProperty(property, `${SIZES.get(property)}px`);
  }
  function publish() {
    const now = bounded(measured());
    put(node, "aria-valuemin", least);
    put(node, "aria-valuemax", bounded(Infinity));
    put(node, "aria-valuenow", now);
    put(node, "aria-valuetext", `${count(now)} pixels`);
  }
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    node.focus({ preventScroll: true });
    node.setPointerCapture(event.pointerId);
    grip = { from: at(event), size: measured() };
  });
  node.addEventListener("pointermove", (event) => {
    if (grip) set(grip.size + at(event) - grip.from);
  });
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    node.addEventListener(type, () => {
      grip = null;
    });
  }
  node.addEventListener("keydown", (event) => {
    const by = choiceOf(event.key, SIZE_KEYS[way]);
    const ends = choiceOf(event.key, { Home: least, End: Infinity });
    const size = by === undefined ? ends : measured() + by;
    if (size === undefined) return;
    event.preventDefault();
    set(size);
  });
  const observer = new ResizeObserver(publish);
  observer.observe(pane);
  apply();
  return { parts: [], node, update() {}, close: () => observer.disconnect() };
}
