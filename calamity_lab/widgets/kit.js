// What every view is made of: elements, icons, lists that touch only what changed, numbers.
// Text from Python enters the page by textContent and setAttribute only: it is data, never markup.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, properties = {}, ...children) {
  return dress(document.createElement(tag), properties, children);
}

function draw(tag, properties = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), properties, children);
}

function dress(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") node.textContent = value;
    else if (name === "on") for (const [type, listen] of Object.entries(value)) node.addEventListener(type, listen);
    else put(node, name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets an attribute if it is another one; null, undefined and false take it away. */
function put(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

function setText(node, text) {
  const wanted = text ?? "";
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** How far a line is indented; where it is not at all, it says nothing, so that its style can be shared. */
function indent(node, depth) {
  if (depth) node.style.setProperty("--cl-depth", depth);
  else if (node.style.length) node.style.removeProperty("--cl-depth");
}

function show(node, visible) {
  if (node instanceof SVGElement) put(node, "display", visible ? null : "none");
  else if (node.hidden === visible) node.hidden = !visible;
}

/**
 * Makes the children of a node those of the items, by key. A child whose item is the same as before is left
 * alone, so an item must hold all that `update` draws; what stays keeps the focus. A child whose item is gone is drawn
 * anew for one that has come, best in the same place, where it `suits` that: it costs much less than a new one.
 */
function keyed(parent, items, keyOf, create, update, suits = null) {
  const known = (parent.keyedNodes ??= new Map());
  const focused = parent.getRootNode().activeElement;
  const keys = items.map(keyOf);
  const free = withoutItem(parent, known, new Set(keys));
  if (suits) {
    keys.forEach((key, index) => {
      const node = known.has(key) ? null : taken(free, index, (each) => !each.contains(focused) && suits(each, items[index]));
      if (node) known.set(key, node);
    });
  }
  for (const node of free.values()) node.remove();
  const nodes = items.map((item, index) => {
    let node = known.get(keys[index]);
    if (!node) known.set(keys[index], (node = create(item)));
    if (node.keyedItem === item) return node;
    const drawn = JSON.stringify(item);
    if (node.keyedText !== drawn) update(node, item);
    node.keyedItem = item;
    node.keyedText = drawn;
    return node;
  });
  arrange(parent, nodes);
  // Moving a node takes the focus away from what is in it.
  if (focused && parent.contains(focused) && parent.getRootNode().activeElement !== focused) {
    focused.focus({ preventScroll: true });
  }
}

/** Those children whose keys are not wanted any more, by their place; they are known no longer. */
function withoutItem(parent, known, wanted) {
  const free = new Map();
  if ([...known.keys()].every((key) => wanted.has(key))) return free;
  const places = new Map([...parent.childNodes].map((node, place) => [node, place]));
  for (const [key, node] of known) {
    if (wanted.has(key)) continue;
    free.set(places.get(node), node);
    known.delete(key);
  }
  return free;
}

/** Takes a node that fits out of the free ones, that of this place if it does. */
function taken(free, index, fits) {
  const place = [index, ...free.keys()].find((each) => free.has(each) && fits(free.get(each)));
  const node = free.get(place);
  free.delete(place);
  return node;
}

/** Puts the nodes in this order in front of whatever else is there, and moves as few as possible: each is laid out anew. */
function arrange(parent, nodes) {
  const places = new Map([...parent.childNodes].map((node, place) => [node, place]));
  const staying = new Set(longestAscent(nodes.map((node) => places.get(node) ?? -1)).map((index) => nodes[index]));
  let place = parent.firstChild;
  for (const node of nodes) {
    if (node === place || staying.has(node)) place = node.nextSibling;
    else parent.insertBefore(node, place);
  }
}

/** The indices of the longest part of a list that goes up all along; negative numbers are left out. */
function longestAscent(numbers) {
  const before = [];
  const ends = [];
  numbers.forEach((number, index) => {
    if (number < 0) return;
    // Most often nothing has moved, and each goes on from the one before.
    const goesOn = !ends.length || numbers[ends.at(-1)] < number;
    const length = goesOn ? ends.length : ends.findIndex((end) => numbers[end] >= number);
    before[index] = ends[length - 1];
    ends[length] = index;
  });
  const found = [];
  for (let index = ends.at(-1); index !== undefined; index = before[index]) found.unshift(index);
  return found;
}

/** Moves a list's one tab stop to an item, and the focus with it. */
function rove(items, item, { focus = true } = {}) {
  for (const other of items) put(other, "tabindex", other === item ? "0" : "-1");
  if (focus) item.focus();
}

const NUMBER = new Intl.NumberFormat("en-GB");
function count(number) {
  return NUMBER.format(number);
}

function counted(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

function clamp(number, least, most) {
  return Math.max(least, Math.min(number, most));
}

let nextId = 0;
// This module is evaluated once for every model, so counting alone would give the same ids to all on the page.
const OWN = Math.random().toString(36).slice(2, 8);
function freshId(word) {
  nextId += 1;
  return `cl-${word}-${OWN}-${nextId}`;
}

// Icons are drawn on a grid of 16 by 16, in the colour of the text beside them.
const ICONS = {
  restart: "M3.5 3v10M12.5 3.5v9L6 8z",
  back: "M12 3.5v9L4.5 8z",
  in: "M8 2v7.5M4.8 6.6 8 9.8l3.2-3.2M6.6 13.6a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0",
  over: "M2.5 9.5a5.5 5.5 0 0 1 10.6-1.6M13.6 4v4.2H9.4M6.6 13a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0",
  out: "M8 10V2.4M4.8 5.4 8 2.2l3.2 3.2M6.6 13.6a1.4 1.4 0 1 0 2.8 0 1.4 1.4 0 1 0-2.8 0",
  resume: "M4 3.5v9L10.5 8zM12.5 3v10",
  drawer: "M2.5 3h11v10h-11zM6.5 3v10",
  height: "M8 2.2v11.6M5.2 5 8 2.2 10.8 5M5.2 11 8 13.8 10.8 11",
  play: "M4.5 3v10L13 8z",
  pause: "M5.2 3.5v9M10.8 3.5v9",
  first: "M5.5 13V3.8M2.4 6.6 5.5 3.4l3.1 3.2M11 6h3M11 9.5h3M11 13h3",
  close: "M4 4l8 8M12 4l-8 8",
  left: "M10 3 5 8l5 5",
  right: "M6 3l5 5-5 5",
  down: "M3.5 6 8 10.5 12.5 6",
  less: "M3 8h10",
  whole: "M2 4v8M14 4v8M4.5 8h7M6.5 5.8 4.3 8l2.2 2.2M9.5 5.8 11.7 8 9.5 10.2",
  clock: "M2 8a6 6 0 1 0 12 0 6 6 0 1 0-12 0M8 4.5V8l2.5 2",
  sift: "M2 4h12M4.5 8h7M7 12h2",
  follow: "M8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3M4.5 8a3.5 3.5 0 1 0 7 0 3.5 3.5 0 1 0-7 0",
  add: "M8 3.5v9M3.5 8h9",
  good: "M3 8.5l3.2 3.2L13 4.8",
  refused: "M3 3l10 10M13 3 3 13",
  conflict: "M2.5 5.5h8.7M8.8 3l2.6 2.5L8.8 8M13.5 10.5H4.8M7.2 8 4.6 10.5 7.2 13",
  error: "M8 2.2 14.4 13.5H1.6zM8 6.4v3.4M8 11.6v.4",
  plain: "M6 8a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
};

function icon(name) {
  return draw("svg", { class: `cl-icon cl-icon-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true" },
    draw("path", { d: ICONS[name] }));
}

function kindClass(kind) {
  return `cl-is-${kind.replaceAll(" ", "-")}`;
}

function glyph(kind) {
  return draw("svg", { class: `cl-glyph ${kindClass(kind)}`, viewBox: "-7 -7 14 14", "aria-hidden": "true" },
    draw("path", { d: LOOKS.kinds[kind].shape }));
}

/** Puts the sign of a kind in front of what is in a node, instead of that of another kind. */
function setGlyph(node, kind) {
  if (node.glyphKind === kind) return;
  if (node.glyphKind) node.firstChild.remove();
  node.prepend(glyph(kind));
  node.glyphKind = kind;
}

/** A button with an icon; its name is its text, or `label` where there is no room for one. */
function button({ icon: name, text, label, title, on, kind = "" }) {
  return make("button", { type: "button", class: `cl-button ${kind}`, "aria-label": label, title, on: { click: on } },
    name ? icon(name) : null, text ? make("span", { class: "cl-button-text", text }) : null);
}

/** Says that a button can do nothing now; it stays where the focus can find it. */
function disable(node, disabled) {
  put(node, "aria-disabled", disabled ? "true" : null);
}

function isDisabled(node) {
  return node.getAttribute("aria-disabled") === "true";
}

/** A stream's name in two parts, its category and the rest. */
function namesOf({ stream_id: name, category }) {
  const known = category && name.startsWith(category) ? category.length : 0;
  return [name.slice(0, known), name.slice(known)];
}

/** The same to be shown: the category gives way where there is no room for both. */
function nameParts(stream) {
  const [category, id] = namesOf(stream);
  return [make("span", { class: "cl-name-category", text: category }), make("span", { class: "cl-name-id", text: id })];
}

/** A line of text that opens further ones: back, where one is, and on. */
function pager(noun, go) {
  const back = button({ icon: "left", label: `Earlier ${noun}`, title: `Earlier ${noun}`, kind: "cl-small", on: () => turn(-1) });
  const on = button({ icon: "right", label: `Further ${noun}`, title: `Further ${noun}`, kind: "cl-small", on: () => turn(1) });
  const where = make("span", { class: "cl-muted" });
  const node = make("span", { class: "cl-pager" }, back, where, on);
  let page = { first: 0, shown: 0, total: 0, size: 1 };
  function turn(direction) {
    if (isDisabled(direction < 0 ? back : on)) return;
    go(Math.max(0, page.first + direction * page.size));
  }
  return {
    node,
    update(first, shown, total, size) {
      page = { first, shown, total, size };
      setText(where, total ? `${count(first + 1)}–${count(first + shown)} of ${count(total)}` : "none");
      disable(back, first === 0);
      disable(on, first + shown >= total);
      show(node, total > shown);
    },
  };
}

/** Scrolls so that a node can be seen, and not at all where it can be already. */
function keepInSight(node, scroll, above = 0) {
  if (!node) return;
  const inner = node.getBoundingClientRect();
  const outer = scroll.getBoundingClientRect();
  if (inner.top < outer.top + above || inner.bottom > outer.bottom) {
    scroll.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
  }
}

/** A search box that asks once the typing rests for a moment; `askNow` does not wait for that. */
function searchBox(label, ask) {
  let resting = 0;
  const field = make("input", { type: "search", class: "cl-input cl-search", "aria-label": label, placeholder: label });
  field.addEventListener("input", () => {
    clearTimeout(resting);
    resting = setTimeout(field.askNow, 120);
  });
  field.askNow = () => {
    if (!resting) return;
    clearTimeout(resting);
    resting = 0;
    ask(field.value);
  };
  return field;
}
