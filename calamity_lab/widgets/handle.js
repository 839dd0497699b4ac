// A handle that makes a pane as high, or a column as wide, as a person wants: dragged, or moved by the arrow keys.

import { choiceOf, clamp, count, make, put } from "./elements.js";
import { icon } from "./signs.js";

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
