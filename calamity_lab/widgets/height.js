// A handle that makes what is above it as high as a person wants: dragged, or moved by the arrow keys.

// This module is evaluated once for each model: heights are kept as long as it lives, in whatever cell it is drawn.
const HEIGHTS = new Map();
const HEIGHT_KEYS = { ArrowUp: -16, ArrowDown: 16, PageUp: -96, PageDown: 96 };

/**
 * `property` is the CSS variable on the root that tells the height of the pane, in pixels from `least` to
 * what `most` answers. Until the handle is moved, the sheet decides.
 */
function mountHandle(root, pane, { label, property, least, most }) {
  const node = make("div", { class: "cl-handle", role: "separator", tabindex: "0", "aria-orientation": "horizontal",
    "aria-label": label, title: `${label}: drag, or press the arrow keys` }, icon("height"));
  let grip = null;

  function bounded(height) {
    return Math.round(clamp(height, least, Math.max(least, most())));
  }
  function set(height) {
    HEIGHTS.set(property, bounded(height));
    apply();
    told();
  }
  function apply() {
    if (HEIGHTS.has(property)) root.style.setProperty(property, `${HEIGHTS.get(property)}px`);
  }
  function told() {
    const now = bounded(pane.offsetHeight);
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
    grip = { from: event.clientY, height: pane.offsetHeight };
  });
  node.addEventListener("pointermove", (event) => { if (grip) set(grip.height + event.clientY - grip.from); });
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) node.addEventListener(type, () => { grip = null; });
  node.addEventListener("keydown", (event) => {
    const ends = { Home: least, End: Infinity };
    const height = event.key in HEIGHT_KEYS ? pane.offsetHeight + HEIGHT_KEYS[event.key] : ends[event.key];
    if (height === undefined) return;
    event.preventDefault();
    set(height);
  });
  const observer = new ResizeObserver(told);
  observer.observe(pane);
  apply();
  return { parts: [], node, update() {}, close: () => observer.disconnect() };
}
