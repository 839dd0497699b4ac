// Lists that touch only what changed: by key, as far as they can be seen, with what is selected marked.

import { make, put } from "./elements.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { Selected } from "#views"
 */

/** The item that a child was drawn for, and its text. @type {WeakMap<Element, { item: unknown, text: string }>} */
const DRAWN = new WeakMap();

/** The children of a list by key. @type {WeakMap<Element, Map<unknown, any>>} */
const KNOWN = new WeakMap();

/**
 * Makes the children of a node those of the items, by key. A child whose item is the same as before is left
 * alone, so an item must hold all that `update` draws; what stays keeps the focus. A child whose item is gone is drawn
 * anew for one that has come, best at the same index, if it `suits`: this costs much less than a new one.
 * @template T @template {HTMLElement | SVGElement} N
 * @param {Element} parent @param {T[]} items @param {(item: T) => unknown} keyOf @param {(item: T) => N} create
 * @param {(node: N, item: T) => void} update @param {((node: N, item: T) => boolean) | null} suits
 */
export function keyed(parent, items, keyOf, create, update, suits = null) {
  /** @type {Map<unknown, N>} */
  const known = KNOWN.get(parent) ?? new Map();
  KNOWN.set(parent, known);
  const focused = focusedIn(parent);
  const keys = items.map(keyOf);
  const free = withoutItem(parent, known, new Set(keys));
  if (suits) {
    keys.forEach((key, index) => {
      const node = known.has(key)
        ? null
        : taken(free, index, (each) => !each.contains(focused) && suits(each, items[index]));
      if (node) known.set(key, node);
    });
  }
  for (const node of free.values()) node.remove();
  const nodes = items.map((item, index) => {
    let node = known.get(keys[index]);
    if (!node) known.set(keys[index], node = create(item));
    const drawn = DRAWN.get(node);
    if (drawn?.item === item) return node;
    const text = JSON.stringify(item);
    if (drawn?.text !== text) update(node, item);
    DRAWN.set(node, { item, text });
    return node;
  });
  arrange(parent, nodes);
  // Moving a node takes the focus away from what is in it.
  if (focused && parent.contains(focused) && focusedIn(parent) !== focused) {
    focused.focus({ preventScroll: true });
  }
}

/** What has the focus in the document, or in the shadow, of a node. */
export function focusedIn(/** @type {Node} */ node) {
  const root = node.getRootNode();
  const focused = root instanceof Document || root instanceof ShadowRoot ? root.activeElement : null;
  return focused instanceof HTMLElement || focused instanceof SVGElement ? focused : null;
}

/** Has a child drawn anew with the next answer, though its item be the same. */
export function drawAnew(/** @type {Element} */ node) {
  DRAWN.delete(node);
}

/**
 * The children whose keys are not wanted any more, by index; also takes them out of `known`.
 * @template {Element} N
 * @param {Element} parent @param {Map<unknown, N>} known @param {Set<unknown>} wanted @returns {Map<number, N>}
 */
function withoutItem(parent, known, wanted) {
  const free = new Map();
  if ([...known.keys()].every((key) => wanted.has(key))) return free;
  const indexes = indexesIn(parent);
  for (const [key, node] of known) {
    if (wanted.has(key)) continue;
    free.set(indexes.get(node) ?? -1, node);
    known.delete(key);
  }
  return free;
}

/**
 * Takes a node that fits out of the free ones, the one with this index if it fits.
 * @template {Element} N
 * @param {Map<number, N>} free @param {number} index @param {(node: N) => boolean} fits @returns {N | undefined}
 */
function taken(free, index, fits) {
  for (const candidate of [index, ...free.keys()]) {
    const node = free.get(candidate);
    if (!node || !fits(node)) continue;
    free.delete(candidate);
    return node;
  }
  return undefined;
}

/** @param {Element} parent @returns {Map<Node, number>} */
function indexesIn(parent) {
  return new Map([...parent.childNodes].map((node, index) => [node, index]));
}

/**
 * Puts the nodes in this order in front of whatever else is there, and moves as few as possible: each is laid out anew.
 */
function arrange(/** @type {Element} */ parent, /** @type {Element[]} */ nodes) {
  const indexes = indexesIn(parent);
  const staying = new Set(longestAscent(nodes.map((node) => indexes.get(node) ?? -1)).map((index) => nodes[index]));
  let next = parent.firstChild;
  for (const node of nodes) {
    if (node === next || staying.has(node)) next = node.nextSibling;
    else parent.insertBefore(node, next);
  }
}

/** The indices of the longest part of a list that goes up all along; negative numbers are left out. */
export function longestAscent(/** @type {number[]} */ numbers) {
  /** @type {(number | undefined)[]} */
  const before = [];
  /** @type {number[]} */
  const ends = [];
  numbers.forEach((number, index) => {
    if (number < 0) return;
    // Most often nothing has moved, and each goes on from the one before.
    const end = ends.at(-1);
    const goesOn = end === undefined || numbers[end] < number;
    const length = goesOn ? ends.length : ends.findIndex((each) => numbers[each] >= number);
    before[index] = ends[length - 1];
    ends[length] = index;
  });
  const found = [];
  for (let index = ends.at(-1); index !== undefined; index = before[index]) found.unshift(index);
  return found;
}

/**
 * Moves a list's one tab stop to an item, and the focus with it.
 * @param {Iterable<Element>} items @param {HTMLElement | SVGElement} item
 */
export function rove(items, item, { focus = true } = {}) {
  for (const other of items) put(other, "tabindex", other === item ? "0" : "-1");
  if (focus) item.focus();
}

/**
 * Scrolls so that a node can be seen, and not at all where it can be already.
 * @param {Element | null | undefined} node @param {Element} scroll @param {number} above
 */
export function keepInSight(node, scroll, above = 0) {
  if (!node) return;
  const inner = node.getBoundingClientRect();
  const outer = scroll.getBoundingClientRect();
  if (inner.top < outer.top + above || inner.bottom > outer.bottom) {
    scroll.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
  }
}

// How much of a list is asked for: as much as can be seen, and more as somebody scrolls there. What is not on the page
// costs a step nothing, neither here nor in Python.

// How far below what is in sight there is something already, so that the focus can go on to it.
const BELOW = 120;

export class Reach {
  /**
   * `least` is how many there are at first, `room` about how high one of them is, in pixels, as the height of those
   * that are not there, and `ask` asks for so many.
   * @param {HTMLElement} scroll @param {{ least: number, room: number, ask: (limit: number) => void }} options
   */
  constructor(scroll, { least, room, ask }) {
    this.scroll = scroll;
    this.room = room;
    this.ask = ask;
    this.least = least;
    this.wanted = least;
    // The number that fills the view while nobody has scrolled.
    this.filled = least;
    this.there = 0;
    this.all = 0;
    this.rest = make("div", { "aria-hidden": "true" });
    this.observer = new IntersectionObserver((seen) => {
      if (seen.at(-1)?.isIntersecting) this.grow();
    }, { root: scroll, rootMargin: `0px 0px ${BELOW}px` });
    scroll.addEventListener("scroll", () => this.restAtTop(), { passive: true });
  }

  close() {
    this.observer.disconnect();
  }

  /** Takes the number of items now, and the number that there could be. */
  update(/** @type {number} */ there, /** @type {number} */ all) {
    if (this.there === there && this.all === all) return;
    this.there = there;
    this.all = all;
    this.rest.style.height = `${Math.max(0, all - there) * this.room}px`;
    // The observer reports a change only: to observe anew reports what is in view already.
    this.observer.unobserve(this.rest);
    this.observer.observe(this.rest);
  }

  /** Asks for so many at least; whether there are fewer. */
  include(/** @type {number} */ wanted) {
    const lacks = wanted > this.there && this.there < this.all;
    if (lacks) this.want(wanted);
    return lacks;
  }

  grow() {
    if (this.there >= this.all) return;
    this.want(this.there + this.least);
    if (this.scroll.scrollTop === 0) this.filled = this.wanted;
  }

  /** At the top again, removes the items that came with scrolling, except the one with the focus. */
  restAtTop() {
    if (this.scroll.scrollTop > 0) return;
    const focused = focusedIn(this.scroll);
    if (this.there > this.filled && !(focused && this.scroll.contains(focused))) this.want(this.filled);
  }

  want(/** @type {number} */ wanted) {
    this.wanted = wanted;
    this.ask(wanted);
  }
}

// What is selected, marked in every view that shows it; a view selects what it shows by `lab.select`.

/**
 * Marks those children of a node that are of what is selected, and scrolls to the first that is picked anew. Where not
 * all children are there, `lacks` asks for the others, and says whether there are any.
 * @template {Element} N
 * @param {LabHandle} lab @param {string} part @param {Element} parent @param {Element} scroll
 * @param {(node: N, selected: Selected) => boolean} isOf @param {() => boolean} lacks
 */
export function addPicked(lab, part, parent, scroll, isOf, lacks = () => false) {
  let shown = "";

  function mark() {
    const { selected } = lab.values;
    const picked = [...parent.children].filter((node) => {
      const isPicked = Boolean(selected?.kind) && isOf(/** @type {N} */ (node), /** @type {Selected} */ (selected));
      put(node, "data-picked", isPicked ? "true" : null);
      return isPicked;
    });
    const wanted = JSON.stringify([selected?.kind, selected?.position, selected?.moment, selected?.streams]);
    if (wanted === shown || (!picked.length && selected?.kind && lacks())) return;
    shown = wanted;
    if (picked.length && selected?.kind !== "range") lab.later(() => keepInSight(picked[0], scroll, 28));
  }
  // The view draws what it shows in the same answer, maybe after this.
  lab.add({ parts: ["selected", part], update: () => queueMicrotask(mark) });
}

/** Whether an event of that position is selected. */
export function isPosition(/** @type {number} */ position, /** @type {Selected} */ { kind, position: first, until }) {
  return kind === "event"
    ? position === first
    : kind === "range" && position >= Number(first) && position <= Number(until);
}
