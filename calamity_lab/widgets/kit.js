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

/** @param {Element} node @param {string | null | undefined} text */
export function setText(node, text) {
  const wanted = text ?? "";
  if (node.textContent !== wanted) node.textContent = wanted;
}

/**
 * How far a line is indented. A line that is not indented has no style of its own, so that styles can be shared.
 * @param {HTMLElement} node @param {number} depth
 */
export function indent(node, depth) {
  if (depth) node.style.setProperty("--cl-depth", String(depth));
  else if (node.style.length) node.style.removeProperty("--cl-depth");
}

/** @param {Element} node @param {boolean} visible */
export function show(node, visible) {
  if (node instanceof SVGElement) put(node, "display", visible ? null : "none");
  else if (node instanceof HTMLElement && node.hidden === visible) node.hidden = !visible;
}

const NUMBER = new Intl.NumberFormat("en-GB");

/** @param {number} number */
export function count(number) {
  return NUMBER.format(number);
}

/** A number and its noun: "1 event", "2 events". @param {number} number @param {string} noun */
export function counted(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** @param {number} number @param {number} least @param {number} most */
export function clamp(number, least, most) {
  return Math.max(least, Math.min(number, most));
}

let nextId = 0;

// This module is evaluated once for every model, so counting alone would give the same ids to all on the page.
const OWN = Math.random().toString(36).slice(2, 8);

/** @param {string} word */
export function freshId(word) {
  nextId += 1;
  return `cl-${word}-${OWN}-${nextId}`;
}

/** A stream's name in two parts, its category and the rest. @param {{ stream_id: string, category?: string }} stream */
export function namesOf({ stream_id: name, category }) {
  const known = category && name.startsWith(category) ? category.length : 0;
  return [name.slice(0, known), name.slice(known)];
}

/**
 * The two parts as elements: the category gives way where there is no room for both.
 * @param {{ stream_id: string, category?: string }} stream
 */
export function nameParts(stream) {
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

/** The node, or its nearest ancestor, that fits a selector. @param {EventTarget | null} target @param {string} selector */
export function closest(target, selector) {
  return target instanceof Element ? target.closest(selector) : null;
}
