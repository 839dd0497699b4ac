// State: a card for each aggregate, process manager and projection, what just changed first, old value → new value.

import { button, pager, searchBox } from "./buttons.js";
import { updateHistory } from "./field_history.js";
import { choiceOf, closest, count, indent, make, nameParts, plural, put, setText, show, showText } from "./elements.js";
import { addPicked, drawAnew, keyed, Reach, rove } from "./lists.js";
import { icon, kindClass, setGlyph } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { AsOf, ChangeLine, FieldRow, StateRow, StateView } from "#views"
 */

const STATE_PAGE = 24;
const LONG_CHANGE = 48;
/** @type {Record<string, string>} */
const SIGN_WORDS = { "+": "added", "-": "removed" };
// In letters: what is shorter has room in three lines even where they are short and the letters wide.
const TALL = 30;

export function mountState(/** @type {HTMLElement} */ root, /** @type {LabHandle} */ lab) {
  const total = make("span", { class: "cl-muted" });
  const search = searchBox("Search the state", (query) => lab.setOptions("state", { query, first: 0 }));
  const pages = pager("rows", (first) => lab.setOptions("state", { first }));
  const cards = make("div", { class: "cl-cards" });
  const hint = make("p", { class: "cl-hint" });
  const scroll = make("div", { class: "cl-scroll cl-view-body", role: "group", "aria-label": "State", tabindex: "0" });
  const reach = new Reach(scroll, { least: 6, room: 70,
    ask: (limit) => lab.setOptions("state", { limit: Math.min(limit, STATE_PAGE) }) });
  scroll.append(cards, reach.rest, hint);
  root.append(make("div", { class: "cl-bar" }, search, total, make("span", { class: "cl-gap" }), pages.node), scroll);
  const asks = stateAsks(lab);
  cards.addEventListener("keydown", moveAmongFields);
  addPicked(lab, "state", cards, scroll, (/** @type {Card} */ card, { streams = [] }) => streams.includes(idOf(card)),
    () => {
      const lacks = reach.include(STATE_PAGE);
      // It is on another page.
      if (!lacks) reach.restAtTop();
      return lacks;
    });
  return {
    parts: ["state"],
    search,
    close: () => reach.close(),
    update(/** @type {StateView} */ value, /** @type {Partial<StateView>} */ patch) {
      const { rows, pinned = [], total: all, matching, first, query } = value;
      asks.update(value);
      setText(total, query ? `${count(matching)} of ${count(all)}` : "");
      const onPage = Math.min(matching - first, STATE_PAGE);
      pages.update(first, onPage, matching, STATE_PAGE);
      reach.update(rows.length, onPage);
      if (patch.first !== undefined) scroll.scrollTop = 0;
      show(hint, !rows.length && (query !== "" || !pinned.length));
      setText(hint, query
        ? "No matches"
        : "Nothing here yet. Aggregates and process managers appear as commands run.");
      if (!patch.rows && !patch.pinned) return;
      const shown = [...pinned.map((row) => ({ ...row, pinned: true })), ...rows];
      keyed(cards, shown, (row) => row.stream_id, () => stateCard(asks), updateCard, () => true);
    },
  };
}

/** What a person asked to see: kept here too, so that presses in quick succession add up. */
function stateAsks(/** @type {LabHandle} */ lab) {
  /** @type {Record<string, any[]>} */
  const asked = { pinned: [], unfolded: [], histories: [], as_of: [] };
  /** @param {any} one */
  const isSame = (one) => (/** @type {any} */ other) => JSON.stringify(one) === JSON.stringify(other);
  function ask(/** @type {string} */ name, /** @type {any[]} */ list) {
    asked[name] = list;
    lab.setOptions("state", { [name]: list });
  }
  function toggle(/** @type {string} */ name, /** @type {any} */ item) {
    const others = asked[name].filter((each) => !isSame(item)(each));
    ask(name, others.length < asked[name].length ? others : [...others, item]);
  }
  return {
    lab,
    // What was recorded without its Python can be pinned and searched, but not looked into.
    isWhole: !lab.model.get("recorded"),
    update(/** @type {StateView} */ { pinned = [], unfolded = [], histories = [], as_of = [] }) {
      if (!lab.asks("set_options state")) {
        Object.assign(asked, { pinned: pinned.map((row) => row.stream_id), unfolded, histories, as_of });
      }
    },
    pin: (/** @type {string} */ id) => toggle("pinned", id),
    unfold: (/** @type {string} */ id, /** @type {string} */ path) => toggle("unfolded", [id, path]),
    history: (/** @type {string} */ id, /** @type {string} */ path) => toggle("histories", [id, path]),
    asOf(/** @type {string} */ id, /** @type {number | null} */ version) {
      const others = asked.as_of.filter(([other]) => other !== id);
      ask("as_of", version === null ? others : [...others, [id, version]]);
    },
  };
}

/**
 * What is drawn of a stream and of a field, and for which.
 * @typedef {ReturnType<typeof stateAsks>} Asks
 * @typedef {{
 *   head: HTMLElement, pick: HTMLElement, version: HTMLElement, badge: HTMLElement, pin: HTMLElement, fields: HTMLElement,
 *   note: HTMLElement, asks: Asks, row: StateRow | null, asOf: ReturnType<typeof asOfBar> | null,
 * }} CardParts
 * @typedef {HTMLElement & { cardParts: CardParts }} Card
 * @typedef {{ kind: string, node: HTMLElement, label: HTMLElement, more: HTMLElement | null }} FieldName
 * @typedef {{
 *   card: Card, field: FieldRow, value: HTMLElement, before: HTMLElement[] | null, name: FieldName | null,
 *   history: { kind: string, name: string, node: HTMLElement, update(history: any): void } | null,
 * }} LineParts
 * @typedef {HTMLElement & { lineParts: LineParts }} FieldLine
 */

/** The stream whose card it is. */
function idOf(/** @type {Card} */ card) {
  return card.cardParts.row?.stream_id ?? "";
}

function linesOf(/** @type {HTMLElement} */ fields) {
  return /** @type {FieldLine[]} */ ([...fields.children]);
}

/** What the arrow keys move among. @param {Element} fields @returns {HTMLElement[]} */
function stopsIn(fields) {
  return [...fields.querySelectorAll(".cl-field")].filter((stop) => stop instanceof HTMLElement);
}

/**
 * A card of no stream yet: whose it is may change, and is asked when something of it is pressed.
 * @param {Asks} asks @returns {Card}
 */
function stateCard(asks) {
  const id = () => idOf(card);
  const pick = make("button", { type: "button", class: "cl-card-name",
    on: { click: () => asks.lab.select({ stream_id: id() }) } });
  const badge = make("span", { class: "cl-badge" });
  const version = make(asks.isWhole ? "button" : "span", { class: "cl-version cl-muted" });
  const pin = button({ icon: "pin", title: "Pin: keep this on top", kind: "cl-small cl-quiet cl-pin",
    on: () => asks.pin(id()) });
  const fields = make("dl", { class: "cl-card-fields" });
  const note = make("p", { class: "cl-card-note cl-muted" });
  const head = make("header", {}, make("h3", {}, pick), badge, make("span", { class: "cl-gap" }), version, pin);
  /** @type {CardParts} */
  const cardParts = { head, pick, version, badge, pin, fields, note, asks, row: null, asOf: null };
  const card = Object.assign(make("article", { class: "cl-card" }, head, note, fields), { cardParts });
  if (asks.isWhole) {
    put(version, "type", "button");
    version.classList.add("cl-button", "cl-small", "cl-quiet");
    version.addEventListener("click", () => {
      const { row } = card.cardParts;
      if (row) asks.asOf(row.stream_id, row.as_of ? null : row.version);
    });
  }
  return card;
}

/** Makes a card that of another stream. */
function nameCard(/** @type {Card} */ card, /** @type {StateRow} */ { stream_id: id, kind, category }) {
  const { head, pick, pin, asOf, fields, row: before } = card.cardParts;
  setGlyph(head, kind);
  if (before) card.classList.remove(kindClass(before.kind));
  card.classList.add(kindClass(kind));
  put(card, "aria-label", id);
  put(pick, "aria-label", id);
  put(pick, "title", `${kind} ${id}: select it in every view`);
  pick.replaceChildren(...nameParts({ stream_id: id, category }));
  put(pin, "aria-label", `Pin ${id}`);
  asOf?.node.remove();
  card.cardParts.asOf = null;
  // The history of a field names its stream.
  for (const line of linesOf(fields)) if (line.lineParts.history) drawAnew(line);
}

function updateCard(/** @type {Card} */ card, /** @type {StateRow & { pinned?: boolean }} */ row) {
  const parts = card.cardParts;
  const { version, badge, pin, fields, note, asks } = parts;
  if (parts.row?.stream_id !== row.stream_id) nameCard(card, row);
  parts.row = row;
  for (const [name, holds] of [["changed", row.changed], ["new", row.is_new], ["gone", row.gone], ["pinned",
    row.pinned], ["as-of", row.as_of]])
  {
    card.classList.toggle(`cl-${name}`, Boolean(holds));
  }
  setText(version, `v${count(row.version)}`);
  if (asks.isWhole) {
    put(version, "aria-label", `v${count(row.version)}, see ${row.stream_id} as of another version`);
    put(version, "title", "See it as of another version");
    put(version, "aria-expanded", row.as_of ? "true" : "false");
  }
  put(pin, "aria-pressed", row.pinned ? "true" : "false");
  put(pin, "title", row.pinned ? "Unpin" : "Pin: keep this on top");
  showText(badge, row.as_of ? "" : row.gone ? "stopped" : row.is_new ? "new" : row.changed ? "changed" : "");
  showText(note, row.note);
  updateAsOf(card, row);
  // In a new state every field is new: only the card says so.
  const fieldRows = row.is_new ? row.fields.map((field) => ({ ...field, changed: false })) : row.fields;
  keyed(fields, fieldRows, (field) => field.path || field.name, (field) => fieldLine(card, field), updateFieldLine,
    () => true);
  const stops = stopsIn(fields);
  if (stops.length && !stops.some((stop) => stop.tabIndex === 0)) put(stops[0], "tabindex", "0");
}

/** The bar below a card's head that says which version is shown, and leads to others and back to now. */
function updateAsOf(/** @type {Card} */ card, /** @type {StateRow} */ row) {
  const { asks } = card.cardParts;
  if (!row.as_of) {
    card.cardParts.asOf?.node.remove();
    card.cardParts.asOf = null;
    return;
  }
  const bar = (card.cardParts.asOf ??= asOfBar(card));
  const { version, first, last, event, moment, is_future: isFuture, why } = row.as_of;
  const index = `version ${count(version)} of ${count(last)}`;
  const when = isFuture ? ", yet to come" : version === row.version ? ", the present one" : "";
  put(bar.range, "min", first);
  put(bar.range, "max", last);
  if (!asks.lab.asks("set_options state")) bar.range.value = String(version);
  put(bar.range, "aria-valuetext", `${index}${event ? `, ${event}` : ""}${when}`);
  setText(bar.label, `as of ${index}`);
  setText(bar.event, `${event || (why ? "" : "before the first event")}${when}`);
  bar.moment = moment;
  show(bar.there, moment !== null);
}

function asOfBar(/** @type {Card} */ card) {
  const { asks } = card.cardParts;
  const id = idOf(card);
  const range = make("input", { type: "range", class: "cl-as-of-range", step: 1, "aria-label": `Version of ${id}` });
  const label = make("strong");
  const event = make("span");
  const there = button({ icon: "follow", label: "Go to the moment of this version",
    title: "Go to the moment of this version", kind: "cl-small cl-quiet",
    on: () => asks.lab.goto(Number(bar.moment)) });
  const now = button({ text: "Now", label: "Now, not as of a version", title: "Back to now", kind: "cl-small",
    on: () => {
      card.cardParts.version.focus();
      asks.asOf(id, null);
    } });
  range.addEventListener("input", () => asks.asOf(id, Number(range.value)));
  const node = make("div", { class: "cl-as-of-bar" }, make("p", {}, label, event), range, there, now);
  card.children[0].after(node);
  const bar = { node, range, label, event, there, moment: /** @type {number | null} */ (null) };
  return bar;
}

/** @param {Card} card @param {FieldRow} field @returns {FieldLine} */
function fieldLine(card, field) {
  const value = make("ins");
  const line = make("div", { class: "cl-line" }, make("dt"), make("dd", {}, value));
  /** @type {LineParts} */
  const lineParts = { card, field, value, before: null, name: null, history: null };
  return Object.assign(line, { lineParts });
}

function updateFieldLine(/** @type {FieldLine} */ line, /** @type {FieldRow} */ field) {
  const [title, body] = /** @type {any} */ (line.children);
  const { value } = line.lineParts;
  line.lineParts.field = field;
  nameOfField(line, title, body, field);
  indent(line, field.depth);
  const changes = field.changes ?? [];
  const had = field.changed && field.before !== null && !field.gone && !changes.length;
  line.classList.toggle("cl-changed", field.changed);
  line.classList.toggle("cl-taken", Boolean(field.gone));
  line.classList.toggle("cl-opened", Boolean(field.is_open));
  // A long old value must leave room for a long new value.
  line.classList.toggle("cl-long", had && String(field.before).length + field.value.length > LONG_CHANGE);
  line.classList.toggle("cl-tall",
    !changes.length && field.value.length + (had || field.gone ? String(field.before).length : 0) > TALL);
  // What can be unfolded need not be read here.
  line.classList.toggle("cl-short", field.inner > 0 && !had && !changes.length);
  updateBefore(line, had || field.gone ? field.before : null, had);
  setText(value, field.value);
  put(value, "title", field.whole ?? (field.value.length > 24 ? field.value : null));
  updateChanges(line, field);
  updateHistory(line, field);
}

/** What changed inside a value that is too long to be compared by eye, above the value. */
function updateChanges(/** @type {FieldLine} */ line, /** @type {FieldRow} */ { changes, more_changes: more }) {
  const known = line.querySelector(".cl-changes");
  if (!changes?.length) {
    known?.remove();
    return;
  }
  const list = known ?? make("ul", { class: "cl-changes", "aria-label": "What changed inside" });
  list.replaceChildren(...changes.map((change) => make("li", {}, ...changeParts(change))),
    ...(more ? [make("li", { class: "cl-muted", text: `and ${plural(more, "more change", "more changes")}` })] : []));
  if (!known) line.lineParts.value.before(list);
}

/** @param {ChangeLine} change */
export function changeParts({ path, sign, before, after, at, left, right }) {
  const where = path ? make("span", { class: "cl-muted", text: sign === "→" ? `${path}: ` : `${path} ` }) : null;
  const was = before ? make("del", { text: before }) : null;
  const is = after ? make("strong", { text: after }) : null;
  if (sign === "text") return [where, left, was, was && is ? " " : null, is, right];
  if (sign === "→") return [where, was, make("span", { class: "cl-arrow", text: " → " }), is];
  if (sign === "moved") return [where, is, `${after ? " " : ""}moved from ${before} to ${at}`];
  const mark = make("span", { class: "cl-arrow", "aria-label": SIGN_WORDS[sign], role: "img", text: `${sign} ` });
  return [where, mark, is ?? was, at ? make("span", { class: "cl-muted", text: ` at ${at}` }) : null];
}

/**
 * What a field was before, in front of what it is: there only where it has changed.
 * @param {FieldLine} line @param {string | null} before @param {boolean} goesOn
 */
function updateBefore(line, before, goesOn) {
  const { lineParts: parts } = line;
  if (before === null) {
    for (const node of parts.before ?? []) node.remove();
    parts.before = null;
    return;
  }
  if (!parts.before) {
    parts.before = [make("del"), make("span", { class: "cl-arrow", text: " → " })];
    parts.value.before(...parts.before);
  }
  const [was, arrow] = parts.before;
  setText(was, before);
  put(was, "title", before.length > 24 ? before : null);
  show(arrow, goesOn);
}

/**
 * A field's name: it unfolds what lies in it, or else shows what it was over time.
 * @param {FieldLine} line @param {Element} title @param {Element} body @param {FieldRow} field
 */
function nameOfField(line, title, body, field) {
  const kind = kindOfName(line.lineParts.card.cardParts.asks, field);
  if (line.lineParts.name?.kind !== kind) line.lineParts.name = newName(line, title, body, kind);
  const { node, label, more } = line.lineParts.name;
  const name = field.name || field.path;
  setText(label, field.name || "·");
  put(title, "title", field.path && field.path !== field.name ? field.path : null);
  if (kind === "text") return;
  const isNested = kind !== "plain";
  put(node, "aria-expanded", (isNested ? field.is_open : field.history) ? "true" : "false");
  put(node, "aria-label", `${name}, ${isNested ? plural(field.inner, "value") : "history"}`);
  if (!more) return;
  put(more, "aria-label", `History of ${name}`);
  put(more, "aria-expanded", field.history ? "true" : "false");
}

/** What pressing a name does: nothing for a text; the name of the rest of a list unfolds it, and has no history. */
function kindOfName(/** @type {Asks} */ asks, /** @type {FieldRow} */ field) {
  if (!asks.isWhole || !field.path || field.gone) return "text";
  if (!field.inner) return "plain";
  return field.path.endsWith(":]") ? "rest" : "nested";
}

/** @param {FieldLine} line @param {Element} title @param {Element} body @param {string} kind */
function newName(line, title, body, kind) {
  const { card, name: known } = line.lineParts;
  /** @param {"unfold" | "history"} what */
  const ask = (what) => () => card.cardParts.asks[what](idOf(card), line.lineParts.field.path);
  /** @param {"unfold" | "history"} what */
  const pressed = (what) => ({ type: "button", tabindex: "-1", on: { click: ask(what) } });
  const label = kind === "plain"
    ? make("button", { class: "cl-field cl-field-name", ...pressed("history") })
    : make("span", { class: "cl-field-name" });
  const isNested = kind === "nested" || kind === "rest";
  const node = isNested ? make("button", { class: "cl-field", ...pressed("unfold") }, icon("unfold"), label) : label;
  title.replaceChildren(node);
  known?.more?.remove();
  const more = kind === "nested"
    ? button({ icon: "history", title: "What this was over time", kind: "cl-small cl-quiet cl-field-history",
      on: ask("history") })
    : null;
  if (more) body.append(more);
  body.classList.toggle("cl-has-history", Boolean(more));
  return { kind, node, label, more };
}

/** Arrows move among a card's fields, of which one is a tab stop; left and right fold and unfold. */
function moveAmongFields(/** @type {KeyboardEvent} */ event) {
  const field = closest(event.target, ".cl-field");
  const list = field?.closest("dl");
  if (!(field instanceof HTMLElement) || !list || !event.key.startsWith("Arrow")) return;
  event.preventDefault();
  const stops = stopsIn(list);
  const index = stops.indexOf(field);
  const rowOf = (/** @type {Element} */ stop) => /** @type {FieldLine} */ (stop.closest(".cl-line")).lineParts.field;
  const { inner, is_open: isOpen, depth } = rowOf(field);
  if ((event.key === "ArrowRight" && inner && !isOpen) || (event.key === "ArrowLeft" && isOpen)) {
    field.click();
    return;
  }
  const next = choiceOf(event.key, {
    ArrowUp: stops[index - 1],
    ArrowDown: stops[index + 1],
    ArrowRight: isOpen ? stops[index + 1] : undefined,
    ArrowLeft: stops.slice(0, index).findLast((stop) => rowOf(stop).depth < depth),
  });
  if (next) rove(stops, next);
}
