// What every view is made of: elements, their texts and attributes, and numbers as people read them.
// Text from Python enters the page by textContent and setAttribute only: it is data, never markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * What an element gets: attributes by their names; `text`, and `on`, its listeners.
 * @typedef {Record<string, any>} Properties
 * @typedef {Element | string | null | undefined} Child
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Properties} properties @param {Child[]} children @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  return dress(document.createElement(tag), properties, children);
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag @param {Properties} properties @param {Child[]} children @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, properties = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), properties, children);
}

/** @template {Element} N @param {N} node @param {Properties} properties @param {Child[]} children @returns {N} */
function dress(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") node.textContent = value;
    else if (name === "on") { for (const type of Object.keys(value)) node.addEventListener(type, value[type]); }
    else put(node, name, value);
  }
  node.append(...children.filter((child) => typeof child === "string" || child instanceof Node));
  return node;
}

/**
 * Sets an attribute if it is another one; null, undefined and false take it away.
 * @param {Element} node @param {string} name @param {string | number | boolean | null | undefined} value
 */
export function put(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

export function setText(/** @type {Element} */ node, /** @type {string | null | undefined} */ text) {
  const wanted = text ?? "";
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** How far a line is indented. A line that is not indented has no style of its own, so that styles can be shared. */
export function indent(/** @type {HTMLElement} */ node, /** @type {number} */ depth) {
  if (depth) node.style.setProperty("--cl-depth", String(depth));
  else if (node.style.length) node.style.removeProperty("--cl-depth");
}

export function show(/** @type {Element} */ node, /** @type {boolean} */ visible) {
  if (node instanceof SVGElement) put(node, "display", visible ? null : "none");
  else if (node instanceof HTMLElement && node.hidden === visible) node.hidden = !visible;
}

/** Shows a node with a text; without one it is hidden. */
export function showText(/** @type {Element} */ node, /** @type {string | null | undefined} */ text) {
  setText(node, text);
  show(node, Boolean(text));
}

const NUMBER = new Intl.NumberFormat("en-GB");

export function count(/** @type {number} */ number) {
  return NUMBER.format(number);
}

/** A number and its noun: "1 event", "2 events". */
export function plural(/** @type {number} */ number, /** @type {string} */ noun, many = `${noun}s`) {
  return `${count(number)} ${number === 1 ? noun : many}`;
}

export function clamp(/** @type {number} */ number, /** @type {number} */ least, /** @type {number} */ most) {
  return Math.max(least, Math.min(number, most));
}

/** The options of a select: each a value and its text. */
export function optionNodes(/** @type {readonly (readonly string[])[]} */ choices) {
  return choices.map(([value, text]) => make("option", { value, text }));
}

let nextId = 0;

// This module is evaluated once for every model, so counting alone would give the same ids to all on the page.
const OWN = Math.random().toString(36).slice(2, 8);

export function freshId(/** @type {string} */ word) {
  nextId += 1;
  return `cl-${word}-${OWN}-${nextId}`;
}

/** A stream's name in two parts, its category and the rest. */
export function namesOf(/** @type {{ stream_id: string, category?: string }} */ { stream_id: name, category }) {
  const known = category && name.startsWith(category) ? category.length : 0;
  return [name.slice(0, known), name.slice(known)];
}

/** The two parts as elements: the category gives way where there is no room for both. */
export function nameParts(/** @type {{ stream_id: string, category?: string }} */ stream) {
  const [category, id] = namesOf(stream);
  return [make("span", { class: "cl-name-category", text: category }), make("span", { class: "cl-name-id", text: id })];
}

/**
 * What one of the choices holds for a name, such as that of a key that was pressed.
 * @template T
 * @param {string} name @param {Record<string, T>} choices @returns {T | undefined}
 */
export function choiceOf(name, choices) {
  return choices[name];
}

/** The node, or its nearest ancestor, that fits a selector. */
export function closest(/** @type {EventTarget | null} */ target, /** @type {string} */ selector) {
  return target instanceof Element ? target.closest(selector) : null;
}

/** @type {CanvasRenderingContext2D | null} */
let pen = null;
const MOST_WIDTHS = 5000;
const LEAST_TYPE = 3;
/** @type {Map<string, number>} */
const knownWidths = new Map();

/** How wide a text is, in pixels, without asking the page for its layout: so also of what cannot be seen yet. */
export function widthOf(/** @type {string} */ text, /** @type {number} */ size, /** @type {string} */ weight = "") {
  const font = `${weight} ${size}px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif`;
  const known = knownWidths.get(font + text);
  if (known !== undefined) return known;
  pen ??= document.createElement("canvas").getContext("2d");
  if (!pen) return 0;
  pen.font = font;
  const { width } = pen.measureText(text);
  if (knownWidths.size > MOST_WIDTHS) knownWidths.clear();
  knownWidths.set(font + text, width);
  return width;
}

/**
 * The name of a stream, of which both ends can be read: its type is cut at the end, and its id in the middle.
 * @param {string} category @param {string} id @param {number} room @param {number} size
 */
export function cutName(category, id, room, size) {
  const whole = category + id;
  const fits = (/** @type {string} */ text) => widthOf(text, size) <= room;
  if (fits(whole)) return whole;
  const letters = Array.from(whole);
  // All of the id, where the type then keeps its first letters; else as many letters of the beginning as of the end.
  const behind = Array.from(id).length;
  const head = mostThatFit(letters.length - behind, (kept) => fits(`${letters.slice(0, kept).join("")}…${id}`));
  if (head >= LEAST_TYPE) return `${letters.slice(0, head).join("")}…${id}`;
  const middle = (/** @type {number} */ kept) =>
    `${letters.slice(0, Math.ceil(kept / 2)).join("")}…${
      letters.slice(letters.length - Math.floor(kept / 2)).join("")
    }`;
  return middle(mostThatFit(letters.length, (kept) => fits(middle(kept))));
}

/** The most letters, of so many, with which a text still has room. */
function mostThatFit(/** @type {number} */ letters, /** @type {(kept: number) => boolean} */ fits) {
  let [least, most] = [0, letters];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (fits(middle)) least = middle;
    else most = middle - 1;
  }
  return least;
}

/**
 * As much of a text as has room, with an ellipsis where something is cut off.
 * @param {string} text @param {number} room @param {number} size @param {string} weight
 */
export function cutTo(text, room, size, weight = "") {
  if (widthOf(text, size, weight) <= room) return text;
  const letters = Array.from(text);
  const cut = (/** @type {number} */ kept) => `${letters.slice(0, kept).join("")}…`;
  return cut(mostThatFit(letters.length, (kept) => widthOf(cut(kept), size, weight) <= room));
}
