// How the timeline is used: with the wheel, the pointer and the keys.

import { clamp, put, show } from "./elements.js";
import { LANE } from "./lanes.js";
import { LOOKS } from "./looks.js";
import { lineAt, markOf, namedAt, nearestMark, neighbour } from "./chart.js";
import { AXIS, ZOOM } from "./timeline_parts.js";

/**
 * @import { Timeline } from "./timeline.js"
 * @import { DrawnMark, Point } from "./types.js"
 */

export function listen(/** @type {Timeline} */ timeline) {
  timeline.nodes.scroll.addEventListener("scroll", () => {
    // Where it was scrolled to what is drawn, to ask how far would only cost a layout.
    if (timeline.isScrolledHere) timeline.isScrolledHere = false;
    else {
      timeline.view.top = timeline.nodes.scroll.scrollTop;
      timeline.paintRows();
    }
  });
  timeline.nodes.scroll.addEventListener("wheel", (event) => wheel(timeline, event), { passive: false });
  listenToPointer(timeline);
  timeline.nodes.option.addEventListener("keydown", (event) => key(timeline, event));
  timeline.nodes.option.addEventListener("blur", () => {
    timeline.active = null;
    timeline.nodes.tip.hide();
  });
  listenToAxis(timeline);
}

function wheel(/** @type {Timeline} */ timeline, /** @type {WheelEvent} */ event) {
  const sideways = event.shiftKey ? event.deltaY : event.deltaX;
  if (event.ctrlKey || event.metaKey) timeline.zoom(event.deltaY > 0 ? 1.25 : 0.8, shareAt(timeline, event));
  else if (Math.abs(sideways) >= 4) timeline.pan((sideways / timeline.plot) * 0.7);
  else return;
  event.preventDefault();
}

function shareAt(/** @type {Timeline} */ timeline, /** @type {MouseEvent} */ event) {
  return clamp((event.clientX - timeline.nodes.svg.getBoundingClientRect().left) / timeline.plot, 0, 1);
}

/** A press picks what is under it; a drag picks all events from one end of it to the other. */
function listenToPointer(/** @type {Timeline} */ timeline) {
  /** @type {Point | null} */
  let start = null;
  const svg = timeline.nodes.svg;
  const leave = () => {
    start = null;
    show(timeline.nodes.brush, false);
  };
  const at = (/** @type {PointerEvent} */ event) => {
    const box = svg.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button === 0) start = at(event);
  });
  svg.addEventListener("pointermove", (event) => {
    const here = at(event);
    // It may have been let go outside.
    if (start && !(event.buttons & 1)) leave();
    if (!start) return point(timeline, markAt(timeline, here), here);
    if (Math.abs(here.x - start.x) < 5) return undefined;
    svg.setPointerCapture(event.pointerId);
    put(timeline.nodes.brush, "x", Math.min(start.x, here.x));
    put(timeline.nodes.brush, "width", Math.abs(here.x - start.x));
    put(timeline.nodes.brush, "height", svg.getAttribute("height"));
    return show(timeline.nodes.brush, true);
  });
  svg.addEventListener("pointerleave", () => timeline.nodes.tip.hide());
  const end = (/** @type {PointerEvent} */ event) => {
    if (!start) return;
    const here = at(event);
    const isPress = timeline.nodes.brush.hasAttribute("display");
    if (isPress) press(timeline, markAt(timeline, here), event);
    else pickBetween(timeline, Math.min(start.x, here.x), Math.max(start.x, here.x));
    leave();
  };
  svg.addEventListener("pointerup", end);
  svg.addEventListener("pointercancel", leave);
}

/** The mark at a point, or the line of a deadline, or the mark whose name is there. */
function markAt(/** @type {Timeline} */ { marks, lines, named }, /** @type {Point} */ { x, y }) {
  const near = nearestMark(marks, x, y);
  if (near && Math.hypot(near.x - x, near.y - y) <= LOOKS.lanes.label.mark) return near;
  const line = lineAt(lines, x, y);
  if (line) return line;
  const key = namedAt(named?.labels ?? [], x, y)?.key;
  return marks.find((mark) => mark.key === key) ?? near;
}

/** @param {Timeline} timeline @param {DrawnMark | null} mark @param {Event} event */
function press(timeline, mark, event) {
  timeline.nodes.tip.hide();
  if (!mark) {
    if (timeline.selected.kind) timeline.lab.select({});
    return;
  }
  timeline.active = mark.key;
  timeline.paintActive();
  timeline.nodes.option.focus({ preventScroll: true });
  // A line of a deadline that is kept ends at the cursor, which stays.
  timeline.lab.select(mark.kind === "deadline" ? { mark: mark.key } : { mark: mark.key, go: true }, event);
}

function pickBetween(/** @type {Timeline} */ timeline, /** @type {number} */ left, /** @type {number} */ right) {
  const point = (/** @type {number} */ x) => timeline.span.from + (x * timeline.span.width) / timeline.plot;
  const [first, last] = [timeline.span.eventAt(point(left)), timeline.span.eventAt(point(right)) - 1];
  if (first <= last && first <= timeline.chart.events.length) {
    timeline.lab.select({ mark: markOf("event", first), until: Math.min(last, timeline.chart.events.length) });
  }
}

function point(/** @type {Timeline} */ timeline, /** @type {DrawnMark | null} */ mark, /** @type {Point} */ { x, y }) {
  if (mark) {
    timeline.nodes.tip.show(mark, timeline.words(mark), timeline.nodes.labels.offsetWidth + x,
      AXIS + y + timeline.rows[0] * LANE - timeline.nodes.scroll.scrollTop, timeline.nodes.node);
  } else timeline.nodes.tip.hide();
}

function key(/** @type {Timeline} */ timeline, /** @type {KeyboardEvent} */ event) {
  const mark = timeline.focused;
  if (!mark) return;
  const act =
    { Enter: () => press(timeline, mark, event), " ": () => press(timeline, mark, event),
      "+": () => timeline.zoom(1 / ZOOM, mark.x / timeline.plot),
      "-": () => timeline.zoom(ZOOM, mark.x / timeline.plot), Escape: () => {
        timeline.nodes.tip.hide();
        timeline.lab.select({});
      } }[event.key];
  if (!act && !event.key.startsWith("Arrow")) return;
  event.preventDefault();
  if (act) act();
  else move(timeline, event.key, event.shiftKey);
}

/** To the next mark; beyond the edge the lanes move on. With Shift, all events on the way are picked. */
function move(/** @type {Timeline} */ timeline, /** @type {string} */ key, /** @type {boolean} */ picks) {
  const from = timeline.focused;
  if (!from) return;
  const backwards = key === "ArrowLeft" || key === "ArrowUp";
  let found = neighbour(timeline.inSight, from, key);
  while (!found && goesOn(timeline, key)) {
    const now = timeline.inSight.find(({ key: other }) => other === from.key);
    found = now ? neighbour(timeline.inSight, now, key) : timeline.inSight.at(backwards ? -1 : 0) ?? null;
  }
  if (!found) return;
  timeline.active = found.key;
  timeline.paintActive();
  timeline.nodes.option.focus({ preventScroll: true });
  point(timeline, found, found);
  if (picks) pickTo(timeline, from, found);
  else timeline.anchor = null;
}

/** Moves the lanes on in a direction; whether there was anything further. */
function goesOn(/** @type {Timeline} */ timeline, /** @type {string} */ key) {
  const { span, view, nodes: { scroll } } = timeline;
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  if (key === "ArrowLeft" || key === "ArrowRight") {
    if (sign < 0 ? span.from <= 0 : span.to >= span.length) return false;
    timeline.pan(sign / 2);
    return true;
  }
  scroll.scrollTop = view.top + sign * Math.max(view.height - LANE, LANE);
  if (scroll.scrollTop === view.top) return false;
  view.top = scroll.scrollTop;
  timeline.paintRows();
  return true;
}

function pickTo(/** @type {Timeline} */ timeline, /** @type {DrawnMark} */ from, /** @type {DrawnMark} */ to) {
  const event = (/** @type {DrawnMark} */ mark) =>
    clamp(Math.round(mark.among), 1, Math.max(timeline.chart.events.length, 1));
  timeline.anchor ??= event(from);
  const ends = [timeline.anchor, event(to)].sort((one, other) => one - other);
  if (timeline.chart.events.length) timeline.lab.select({ mark: markOf("event", ends[0]), until: ends[1] });
}

/** The axis is dragged to pan. */
function listenToAxis(/** @type {Timeline} */ timeline) {
  /** @type {number | null} */
  let last = null;
  const { node } = timeline.nodes.axis;
  node.addEventListener("pointerdown", (event) => {
    last = event.clientX;
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => {
    if (last === null) return;
    timeline.pan((last - event.clientX) / timeline.plot);
    last = event.clientX;
  });
  for (const type of ["pointerup", "pointercancel"]) {
    node.addEventListener(type, () => {
      last = null;
    });
  }
}
