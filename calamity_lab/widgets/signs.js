// The signs: icons for what a button does, and a shape for each kind of thing.

import { draw, put, show } from "./elements.js";
import { LOOKS } from "./looks.js";

/** @import { StopRow } from "#views" */

// Icons are drawn on a grid of 16 by 16, in the colour of the text beside them.
/** @type {Record<string, string>} */
export const ICONS = {
  restart: "M3.5 3v10M12.5 3.5v9L6 8z",
  back: "M12 3.5v9L4.5 8z",
  backOver: "M13.5 9.5A5.5 5.5 0 0 0 2.9 7.9M2.4 4v4.2h4.2M6.6 13a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0",
  in: "M8 2v7.5M4.8 6.6 8 9.8l3.2-3.2M6.6 13.6a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0",
  over: "M2.5 9.5a5.5 5.5 0 0 1 10.6-1.6M13.6 4v4.2H9.4M6.6 13a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0",
  out: "M8 10V2.4M4.8 5.4 8 2.2l3.2 3.2M6.6 13.6a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0",
  resume: "M4 3.5v9L10.5 8zM12.5 3v10",
  drawer: "M2.5 3h11v10h-11zM6.5 3v10",
  height: "M8 2.2v11.6M5.2 5 8 2.2 10.8 5M5.2 11 8 13.8 10.8 11",
  width: "M2.2 8h11.6M5 5.2 2.2 8 5 10.8M11 5.2 13.8 8 11 10.8",
  play: "M4.5 3v10L13 8z",
  pause: "M5.2 3.5v9M10.8 3.5v9",
  first: "M5.5 13V3.8M2.4 6.6 5.5 3.4l3.1 3.2M11 6h3M11 9.5h3M11 13h3",
  close: "M4 4l8 8M12 4l-8 8",
  compare: "M2.5 3.5h4v9h-4zM9.5 3.5h4v9h-4z",
  left: "M10 3 5 8l5 5",
  right: "M6 3l5 5-5 5",
  down: "M3.5 6 8 10.5 12.5 6",
  less: "M3 8h10",
  whole: "M2 4v8M14 4v8M4.5 8h7M6.5 5.8 4.3 8l2.2 2.2M9.5 5.8 11.7 8 9.5 10.2",
  clock: "M2 8a6 6 0 1 0 12 0 6 6 0 1 0-12 0M8 4.5V8l2.5 2",
  sift: "M2 4h12M4.5 8h7M7 12h2",
  legend: "M2.5 2.5h4v4h-4zM9 4.5h5M2.2 13.2 4.5 9l2.3 4.2zM9 11.5h5",
  follow: "M8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3M4.5 8a3.5 3.5 0 1 0 7 0 3.5 3.5 0 1 0-7 0",
  edit: "M3 13l.7-3L10.8 2.9l2.3 2.3L6 12.3zM9.3 4.4l2.3 2.3",
  add: "M8 3.5v9M3.5 8h9",
  good: "M3 8.5l3.2 3.2L13 4.8",
  rejected: "M3 3l10 10M13 3 3 13",
  conflict: "M2.5 5.5h8.7M8.8 3l2.6 2.5L8.8 8M13.5 10.5H4.8M7.2 8 4.6 10.5 7.2 13",
  error: "M8 2.2 14.4 13.5H1.6zM8 6.4v3.4M8 11.6v.4",
  pin: "M6 2.5h4M6.8 2.5v4.2L4.4 9.4h7.2L9.2 6.7V2.5M8 9.4v4.4",
  unfold: "M6 3.5 10.5 8 6 12.5",
  history: "M2 11.5 5.5 7l3 2.5L14 3.5",
  copy: "M5.5 5.5V2.5h8v8h-3M2.5 5.5h8v8h-8z",
  plain: "M6 8a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
};

export function icon(/** @type {string} */ name) {
  return draw("svg", { class: `cl-icon cl-icon-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true" },
    draw("path", { d: ICONS[name] }));
}

export function kindClass(/** @type {string} */ kind) {
  return `cl-is-${kind.replaceAll(" ", "-")}`;
}

export function glyph(/** @type {string} */ kind) {
  return draw("svg", { class: `cl-glyph ${kindClass(kind)}`, viewBox: "-7 -7 14 14", "aria-hidden": "true" },
    draw("path", { d: LOOKS.kinds[kind].shape }));
}

// What has a breakpoint is marked alike in the list, the graph and the lanes.

/** The keys of what has a breakpoint, each with "on" or "off". @typedef {Map<string, string>} Stops */

/** @param {{ rows: StopRow[] } | undefined} view @returns {Stops} */
export function stopsOf(view) {
  const rows = (view?.rows ?? []).filter(({ target }) => target);
  // Of several, one that is on counts.
  return new Map(
    [false, true].flatMap((on) =>
      rows.filter((row) => row.is_on === on).map(({ target }) => [target, on ? "on" : "off"])
    ),
  );
}

/** The mark beside a name, shown while there is a breakpoint: see `showStop`. */
export function stopSign() {
  return draw("svg", { class: "cl-stop-sign", viewBox: "-7 -7 14 14", "aria-hidden": "true" }, stopMark());
}

/** @param {Element} sign @param {string} stop */
export function showStop(sign, stop) {
  show(sign, stop !== "");
  put(sign.children[0], "data-stop", stop);
}

export function stopMark(/** @type {string | null} */ transform = null) {
  return draw("path", { class: "cl-stop-mark", transform, d: LOOKS.kinds.breakpoint.shape });
}

export function stopWords(/** @type {string} */ stop) {
  return stop === "off" ? "breakpoint, switched off" : "breakpoint";
}

/** The kind whose sign is in front of what is in a node. @type {WeakMap<Element, string>} */
const SIGNED = new WeakMap();

/** Puts the sign of a kind in front of what is in a node, instead of that of another kind. */
export function setGlyph(/** @type {Element} */ node, /** @type {string} */ kind) {
  const known = SIGNED.get(node);
  if (known === kind) return;
  if (known) node.firstChild?.remove();
  node.prepend(glyph(kind));
  SIGNED.set(node, kind);
}
