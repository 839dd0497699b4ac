// The sequence diagram: a column for each participant, a row for each message, the future greyed.

import { button, pager } from "./buttons.js";
import { choiceOf, clamp, closest, cutTo, draw, make, plural, put, setText, show, widthOf } from "./elements.js";
import { addPicked, keepInSight, keyed, rove } from "./lists.js";
import { LOOKS } from "./looks.js";
import { markOf } from "./chart.js";
import { glyph, kindClass } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { Message, Participant, SequenceView } from "#views"
 */

const COLUMN_LEAST = 92;
const COLUMN_MOST = 176;
const SEQUENCE_PAGE = 16;

/**
 * A message with its room, and where its ends are.
 * @typedef {Message & { y: number, height: number, from: number, to: number, plot: number }} Row
 * @typedef {SVGGElement} RowNode
 */

/** What is drawn in each row. @type {WeakMap<Element, Row>} */
const ROWS = new WeakMap();

export function mountSequence(/** @type {HTMLElement} */ root, /** @type {LabHandle} */ lab) {
  const title = make("span", { class: "cl-sequence-title" });
  const total = make("span", { class: "cl-muted" });
  const pages = pager("commands", look);
  const follow = button({ icon: "follow", text: "Follow", title: "Follow the cursor", kind: "cl-small",
    on: () => look(null) });
  const heads = make("div", { class: "cl-cast", "aria-hidden": "true" });
  const lines = draw("g");
  const rows = draw("g", { role: "listbox", "aria-label": "Messages, in order" });
  const svg = draw("svg", { class: "cl-message-plot" }, lines, rows);
  const scroll = make("div", { class: "cl-scroll cl-view-body cl-sequence", tabindex: "-1" }, heads, svg);
  const hint = make("p", { class: "cl-hint", text: "Send a command to see its sequence here." });
  show(follow, false);
  root.append(
    make("div", { class: "cl-bar" }, glyph("command"), title, total, make("span", { class: "cl-gap" }), follow,
      pages.node),
    scroll,
    hint,
  );
  /** @type {SequenceView | null} */
  let shown = null;
  let wide = 0;
  let following = true;

  function look(/** @type {number | null} */ first) {
    following = first === null;
    show(follow, !following);
    lab.setOptions("sequence", { first });
  }
  function paint() {
    const width = scroll.clientWidth;
    if (!shown || width < 50) return;
    wide = width;
    drawSequence({ heads, lines, rows, svg }, shown, width);
  }
  function follows() {
    paint();
    keepRowInSight(rows.querySelector(".cl-now-message"), scroll);
  }
  const observer = new ResizeObserver(() => {
    if (scroll.clientWidth !== wide) follows();
  });
  observer.observe(scroll);
  listenToRows(rows, lab);
  addPicked(lab, "sequence", rows, scroll,
    (/** @type {RowNode} */ node, { moment }) => moment !== null && ROWS.get(node)?.moment === moment);
  return {
    parts: ["sequence"],
    close: () => observer.disconnect(),
    update(/** @type {SequenceView} */ value, /** @type {Partial<SequenceView>} */ patch) {
      shown = value;
      // What was looked at of one cascade is not what to look at of the next.
      if (patch.correlation !== undefined && !following) look(null);
      setText(title, value.title || "Sequence");
      put(title, "title", value.title);
      setText(total, value.total > 1 ? plural(value.total, "command") : "");
      pages.update(value.first, value.commands, value.total, SEQUENCE_PAGE);
      show(hint, !value.messages.length);
      show(scroll, value.messages.length > 0);
      paint();
      // A panel that has just come into sight is measured once it is there.
      lab.later(follows);
    },
  };
}

/**
 * @param {{ heads: HTMLElement, lines: Element, rows: Element, svg: Element }} parts @param {SequenceView} value
 * @param {number} width
 */
function drawSequence({ heads, lines, rows, svg }, value, width) {
  const column = clamp(Math.floor(width / value.participants.length), COLUMN_LEAST, COLUMN_MOST);
  const at = (/** @type {number} */ place) => (place + 0.5) * column;
  const placed = placeRows(value.messages);
  const plot = Math.max(width, column * value.participants.length);
  heads.style.width = `${plot}px`;
  put(svg, "width", plot);
  put(svg, "height", placed.height);
  keyed(heads, value.participants.map((each) => ({ ...each, column })), (each) => `${each.kind} ${each.name}`, castHead,
    (head, each) => {
      head.style.width = `${each.column}px`;
    });
  keyed(lines,
    value.participants.map((each, place) => ({ x: at(place), height: placed.height,
      key: `${each.kind} ${each.name}` })
    ), (each) => each.key, () => draw("line", { class: "cl-lifeline", y1: 0 }), (line, { x, height }) => {
    put(line, "x1", x);
    put(line, "x2", x);
    put(line, "y2", height);
  });
  keyed(rows, placed.rows.map((row) => ({ ...row, from: at(row.source), to: at(row.target), plot })), (row) => row.key,
    rowNode, updateRow);
  if (!rows.querySelector("[tabindex='0']") && rows.firstChild) {
    put(rows.querySelector(".cl-now-message") ?? rows.children[0], "tabindex", "0");
  }
}

/** Where each row is: a command is a little apart from the message before, a note takes room of its own. */
function placeRows(/** @type {Message[]} */ messages) {
  let y = 4;
  const rows = messages.map((message, place) => {
    if (place && ["command", "pending"].includes(message.kind)) y += LOOKS.sequence.gap;
    const height = LOOKS.sequence.row + (message.note ? LOOKS.sequence.note : 0);
    const row = { ...message, y, height };
    y += height;
    return row;
  });
  return { rows, height: y + 8 };
}

/** Scrolls so that a row can be seen, and both of its ends where there is room for them. */
function keepRowInSight(/** @type {Element | null} */ node, /** @type {Element} */ scroll) {
  const row = node && ROWS.get(node);
  if (!row) return;
  keepInSight(node, scroll, 48);
  const left = Math.min(row.from, row.to) - 60;
  const right = Math.max(row.from, row.to) + 60;
  if (right > scroll.scrollLeft + scroll.clientWidth) scroll.scrollLeft = right - scroll.clientWidth;
  if (left < scroll.scrollLeft) scroll.scrollLeft = left;
}

function castHead(/** @type {Participant} */ { name, category, kind }) {
  const own = name.startsWith(`${category}-`) ? name.slice(category.length + 1) : "";
  const sign = draw("svg", { class: `cl-glyph ${kindClass(kind)}`, viewBox: "-7 -7 14 14", "aria-hidden": "true" },
    draw("path", { d: LOOKS.kinds[kind].shape }));
  return make("div", { class: `cl-cast-head ${kindClass(kind)}`, title: `${kind} ${name}` },
    make("span", { class: "cl-cast-type" }, sign, make("span", { text: own ? category : name })),
    own ? make("span", { class: "cl-cast-id", text: own }) : null);
}

function rowNode() {
  return draw("g", { role: "option", tabindex: "-1" }, draw("title"),
    draw("rect", { class: "cl-message-target", x: 0 }), draw("rect", { class: "cl-message-bar", x: 0, width: 3 }),
    draw("path", { class: "cl-message-line" }), draw("path", { class: "cl-message-head" }),
    draw("path", { class: "cl-message-sign" }), draw("text", { class: "cl-message-label" }),
    draw("g", { class: "cl-message-note" }, draw("path"), draw("text")));
}

function updateRow(/** @type {Element} */ node, /** @type {Row} */ row) {
  const [title, target, bar, line, head, sign, label, note] = node.children;
  const looks = LOOKS.drawnAs[row.kind] ?? row.kind;
  const words = [row.detail, row.note && !row.detail.includes(row.note) ? row.note : ""].filter(Boolean).join(": ");
  ROWS.set(node, row);
  put(node, "class",
    `cl-message ${LOOKS.reactions.includes(row.kind) ? "cl-message-reaction " : ""}${
      isAtManager(row.kind) ? "cl-message-manager " : ""
    }${kindClass(looks)} cl-message-${row.kind.replaceAll(" ", "-")} ${
      { past: "cl-past", now: "cl-past cl-now-message", future: "cl-later" }[row.tense]
    }`);
  put(node, "transform", `translate(0 ${row.y})`);
  put(node, "aria-selected", row.tense === "now" ? "true" : "false");
  put(node, "aria-disabled", row.moment === null ? "true" : null);
  put(node, "aria-label", row.tense === "future" ? `${words} (not yet)` : words);
  setText(title, words);
  put(target, "width", row.plot);
  put(target, "height", row.height);
  put(bar, "height", row.height);
  const drawn = row.kind === "time passed" ? drawnDivider(row) : drawnMessage(row);
  put(line, "d", drawn.line);
  put(head, "d", drawn.head);
  put(sign, "d", drawn.sign);
  put(sign, "transform", drawn.signAt);
  put(label, "x", drawn.label.x);
  put(label, "y", drawn.label.y);
  put(label, "text-anchor", drawn.label.anchor);
  setText(label, cutTo(row.label, drawn.label.room, 12, "600"));
  drawNote(note, row);
}

/** Whether a message says what a process manager does. Then its note is beside this, and is of deadlines. */
function isAtManager(/** @type {string} */ kind) {
  return LOOKS.reactions.includes(kind) || kind === "caught up";
}

/** A line across the whole diagram, where time passed, with a gap for its sign and its text. */
function drawnDivider(/** @type {Row} */ { kind, label, from, to, plot }) {
  const y = 15;
  const middle = from === to ? plot / 2 : (from + to) / 2;
  const room = 2 * Math.min(middle, plot - middle) - 48;
  const aside = Math.min(widthOf(label, 12, "600"), room) / 2;
  return {
    line: `M0 ${y}H${middle - aside - 22}M${middle + aside + 6} ${y}H${plot}`,
    head: "",
    sign: LOOKS.kinds[kind].shape,
    signAt: `translate(${middle - aside - 12} ${y})`,
    label: { x: middle, y: y + 4, anchor: "middle", room },
  };
}

/** The line from one column to another, or round to the same, with its head, its sign and the place of its text. */
function drawnMessage(/** @type {Row} */ { kind, from, to, plot }) {
  const y = 21;
  if (from === to) return drawnTurn({ kind, from, plot, y });
  const way = Math.sign(to - from);
  const isReaction = LOOKS.reactions.includes(kind);
  const isLost = kind === "rejected" || kind === "conflict";
  const signAt = isReaction || isLost ? to : from;
  const middle = (from + to) / 2;
  const tip = isReaction ? to - way * 7 : to - way * 1;
  return {
    line: `M${signAt === from ? from + way * 7 : from} ${y}H${isLost ? to - way * 7 : tip - way * 4}`,
    head: isLost ? "" : `M${tip} ${y}l${-way * 7.5}-4v8z`,
    sign: kind === "caught up" ? "" : LOOKS.kinds[LOOKS.drawnAs[kind] ?? kind].shape,
    signAt: `translate(${signAt} ${y})${kind === "command" || kind === "pending" ? ` scale(${way} 1)` : ""}`,
    label: { x: middle, y: y - 7, anchor: "middle", room: 2 * Math.min(middle, plot - middle) - 12 },
  };
}

/** A message of a participant to itself: a loop, with its text on the side that has more room. */
function drawnTurn(/** @type {{ kind: string, from: number, plot: number, y: number }} */ { kind, from, plot, y }) {
  const side = from > plot / 2 ? -1 : 1;
  const isOwn = kind !== "more";
  return {
    line: isOwn ? `M${from + side * 6} ${y - 7}h${side * 18}v12h${side * -10}` : "",
    head: isOwn ? `M${from + side * 6} ${y + 5}l${side * 7.5}-4v8z` : "",
    sign: isOwn ? LOOKS.kinds[LOOKS.drawnAs[kind] ?? kind].shape : "",
    signAt: `translate(${from} ${y - 7})`,
    label: { x: from + side * (isOwn ? 32 : 10), y: y - 1, anchor: side < 0 ? "end" : "start",
      room: (side < 0 ? from : plot - from) - 38 },
  };
}

function drawNote(/** @type {Element} */ note, /** @type {Row} */ { note: text, kind, from, to, plot }) {
  show(note, text !== "");
  if (!text) return;
  const [sheet, words] = note.children;
  const wide = Math.min(widthOf(text, 12, "600") + 16, plot - 12);
  const left = clamp((isAtManager(kind) ? to : from) - wide / 2, 6, plot - wide - 6);
  put(note, "transform", `translate(${left} ${LOOKS.sequence.row})`);
  put(sheet, "d", `M0 0H${wide - 6}L${wide} 6V18H0z`);
  put(words, "x", wide / 2);
  put(words, "y", 13);
  setText(words, cutTo(text, wide - 14, 12, "600"));
}

/** Rows can be clicked, and reached by one tab stop and the arrow keys. */
function listenToRows(/** @type {SVGElement} */ rows, /** @type {LabHandle} */ lab) {
  const rowOf = (/** @type {Event} */ { target }) => /** @type {RowNode | null} */ (closest(target, "[role=option]"));
  function go(/** @type {RowNode} */ node, /** @type {Event} */ press) {
    rove(rows.children, node);
    const moment = ROWS.get(node)?.moment ?? null;
    if (moment !== null) lab.select({ mark: markOf("step", moment), go: true }, press);
  }
  rows.addEventListener("click", (event) => {
    const node = rowOf(event);
    if (node) go(node, event);
  });
  rows.addEventListener("keydown", (event) => {
    const node = rowOf(event);
    if (!node) return;
    const next = choiceOf(event.key, { ArrowDown: node.nextElementSibling, ArrowUp: node.previousElementSibling });
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      go(node, event);
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      if (next) rove(rows.children, /** @type {RowNode} */ (next));
    }
  });
}
