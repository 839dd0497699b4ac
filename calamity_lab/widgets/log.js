// The log: what happened as one list, the future greyed. Only the rows in sight are asked for, whatever the length of the
// run: the others have their room, and come as somebody scrolls there.

import { button, searchBox } from "./buttons.js";
import { choiceOf, clamp, closest, count, make, nameParts, optionNodes, plural, put, setText,
  show } from "./elements.js";
import { addPicked, focusedIn, isPosition, keepInSight, keyed } from "./lists.js";
import { icon, setGlyph } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { LogRow, LogView, Selected } from "#views"
 */

const LOG_ROW = 24;
// Browsers draw nothing that is further down than some millions of pixels.
const MOST_HEIGHT = 8_000_000;
const LEAST_ROWS = 40;
const LOG_COLUMNS = ["Step", "What", "Stream", "Content", "Cause", "Time"];
/** @type {[string, string, string][]} */
const LISTS = [
  ["all", "All", "row"],
  ["commands", "Commands", "command"],
  ["events", "Events", "event"],
  ["rejections", "Rejections", "rejection"],
  ["steps", "Every step", "step"],
];

/** @typedef {LogRow & { place: number, isLatest: boolean }} Placed */
/** @typedef {HTMLElement & { logRow: Placed }} RowNode */

export function mountLog(/** @type {HTMLElement} */ root, /** @type {LabHandle} */ lab) {
  const log = new Log(lab);
  root.append(log.bar, log.scroll);
  return log;
}

class Log {
  parts = ["log"];

  constructor(/** @type {LabHandle} */ lab) {
    this.lab = lab;
    this.total = this.first = this.now = 0;
    this.limit = LEAST_ROWS;
    this.isFollowing = true;
    /** @type {LogRow[]} */
    this.rows = [];
    // Where this scrolled by itself, and the row that is to get the focus once it is there.
    this.scrolledTo = -1;
    this.shownNow = -1;
    /** @type {number | null} */
    this.wanted = null;
    this.active = 0;
    this.search = searchBox("Search the log", (query) => this.ask({ query, first: null }));
    this.only = make("select", { class: "cl-input cl-select", "aria-label": "Rows of the log" }, ...optionNodes(
      LISTS.filter(([name]) => name !== "steps" || !lab.isRecorded),
    ));
    this.only.addEventListener("change", () => this.ask({ only: this.only.value, first: null }));
    this.count = make("span", { class: "cl-muted" });
    this.follow = button({ icon: "follow", text: "Follow", title: "Follow the cursor", kind: "cl-small", on: () => {
      this.shownNow = -1;
      this.ask({ first: null });
    } });
    this.bar = make("div", { class: "cl-bar" }, this.only, this.search, this.count, make("span", { class: "cl-gap" }),
      this.follow);
    this.body = make("div", { class: "cl-log-rows", role: "rowgroup" });
    const heads = make("div", { role: "row", class: "cl-log-row", "aria-rowindex": 1 },
      ...LOG_COLUMNS.map((text) =>
        make("span", { role: "columnheader", class: `cl-log-${text.toLowerCase()}`, text })
      ));
    this.grid = make("div", { role: "treegrid", class: "cl-log", "aria-label": "What happened, in order" },
      make("div", { role: "rowgroup", class: "cl-log-head" }, heads), this.body);
    this.hint = make("p", { class: "cl-hint" });
    this.scroll = make("div", { class: "cl-scroll cl-view-body", tabindex: "-1" }, this.grid, this.hint);
    show(this.follow, false);
    this.scroll.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.body.addEventListener("click", (press) => this.pressed(press));
    this.body.addEventListener("keydown", (press) => this.keyed(press));
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.scroll);
    addPicked(lab, "log", this.body, this.scroll,
      (/** @type {RowNode} */ node, selected) => isPicked(node.logRow, selected));
  }

  close() {
    this.observer.disconnect();
  }

  ask(/** @type {{ first?: number | null, query?: string, only?: string, limit?: number }} */ options) {
    if ("first" in options) this.isFollowing = options.first === null;
    show(this.follow, !this.isFollowing);
    this.lab.setOptions("log", options);
  }

  /** Asks for as many rows as are in sight four times over, so that there are some to scroll to. */
  measure() {
    const limit = clamp(4 * Math.ceil(this.scroll.clientHeight / LOG_ROW), LEAST_ROWS, 400);
    if (limit <= this.limit || !this.scroll.clientHeight) return;
    this.limit = limit;
    this.ask({ limit });
  }

  update(/** @type {LogView} */ view) {
    const { rows, total, now, first, only, query } = view;
    Object.assign(this, { rows, total, now, first });
    const [, , noun] = LISTS.find(([name]) => name === only) ?? LISTS[0];
    if (this.only.value !== only) this.only.value = only;
    if (focusedIn(this.search) !== this.search && this.search.value.trim() !== query) this.search.value = query;
    setText(this.count, total ? `${count(now)} of ${plural(total, noun)} so far` : "");
    show(this.grid, total > 0);
    show(this.hint, !total);
    setText(this.hint, query ? "No matches" : noun === "row" ? "Nothing has happened yet." : `There is no ${noun}.`);
    put(this.grid, "aria-rowcount", total + 1);
    const height = `${Math.min(total * LOG_ROW, MOST_HEIGHT)}px`;
    if (this.body.style.height !== height) this.body.style.height = height;
    this.draw();
    // Only in following: a person who has scrolled away reads something.
    if (this.isFollowing && this.shownNow !== now) this.lab.later(() => this.showNow());
    else this.lab.later(() => this.focusWanted());
  }

  draw() {
    const top = this.topOf(this.first);
    const rows = this.rows.map((row, at) => ({ ...row, place: this.first + at,
      isLatest: this.first + at === this.now - 1 })
    );
    if (this.active < this.first || this.active >= this.first + rows.length) {
      this.active = Math.max(this.now - 1, this.first);
    }
    if (this.body.style.getPropertyValue("--cl-log-top") !== `${top}px`) {
      this.body.style.setProperty("--cl-log-top", `${top}px`);
    }
    keyed(this.body, rows, ({ mark }) => mark, logRowNode, updateLogRow, () => true);
    this.rove();
  }

  /** Where a row is; in a very long run the rows have less room than they take, and scrolling goes on faster. */
  topOf(/** @type {number} */ place) {
    const room = Math.min(this.total * LOG_ROW, MOST_HEIGHT) - this.rows.length * LOG_ROW;
    const others = this.total - this.rows.length;
    return others > 0 ? Math.round((place * room) / others) : 0;
  }

  /** The row at a height. */
  placeAt(/** @type {number} */ top) {
    const most = Math.min(this.total * LOG_ROW, MOST_HEIGHT);
    return most > 0 ? Math.floor((top * this.total) / most) : 0;
  }

  nodes() {
    return /** @type {RowNode[]} */ ([...this.body.children]);
  }

  rove() {
    for (const node of this.nodes()) put(node, "tabindex", node.logRow.place === this.active ? "0" : "-1");
  }

  showNow() {
    this.shownNow = this.now;
    keepInSight(this.nodes().find((node) => node.logRow.isLatest) ?? this.body.firstElementChild, this.scroll, LOG_ROW);
    this.scrolledTo = this.scroll.scrollTop;
    this.focusWanted();
  }

  /** Asks for the rows where a person has scrolled to, if they are not there. */
  scrolled() {
    const { scrollTop, clientHeight } = this.scroll;
    if (Math.abs(scrollTop - this.scrolledTo) < 2 || !this.total) return;
    const [from, to] = [this.placeAt(scrollTop), Math.min(this.placeAt(scrollTop + clientHeight) + 1, this.total)];
    if (from >= this.first && to <= this.first + this.rows.length) return;
    this.ask({ first: clamp(from - Math.floor((this.limit - (to - from)) / 2), 0, this.total - 1) });
  }

  pressed(/** @type {Event} */ press) {
    const node = /** @type {RowNode | null} */ (closest(press.target, ".cl-log-row"));
    if (!node) return;
    this.active = node.logRow.place;
    this.rove();
    const isWhole = closest(press.target, ".cl-log-unfold") !== null;
    this.pick(node.logRow, { go: !isWhole, press: isWhole ? press : undefined });
  }

  /** @param {LogRow} row @param {{ go: boolean, press?: Event }} how */
  pick({ mark }, { go, press }) {
    this.lab.select(go ? { mark, go } : { mark }, press);
  }

  keyed(/** @type {KeyboardEvent} */ press) {
    const node = /** @type {RowNode | null} */ (closest(press.target, ".cl-log-row"));
    if (!node || press.altKey || press.metaKey) return;
    const { logRow: row } = node;
    const page = Math.max(Math.floor(this.scroll.clientHeight / LOG_ROW) - 2, 1);
    const keys = {
      ArrowDown: () => this.move(row.place + 1),
      ArrowUp: () => this.move(row.place - 1),
      PageDown: () => this.move(row.place + page),
      PageUp: () => this.move(row.place - page),
      "Ctrl Home": () => this.move(0),
      "Ctrl End": () => this.move(this.total - 1),
      ArrowLeft: () => this.move(this.above(row)),
      ArrowRight: () => this.pick(row, { go: false, press }),
      Enter: () => this.pick(row, { go: true, press }),
      " ": () => this.pick(row, { go: true }),
    };
    // Home and End alone are the lab's: they go along the run.
    const act = choiceOf(press.ctrlKey ? `Ctrl ${press.key}` : press.key, keys);
    if (!act) return;
    press.preventDefault();
    act();
  }

  /** The row of what a row came of, as far as it is here; else the row itself. */
  above(/** @type {Placed} */ row) {
    const before = this.rows.slice(0, row.place - this.first);
    const place = before.findLastIndex(({ depth }) => depth < row.depth);
    return place < 0 ? row.place : this.first + place;
  }

  /** Moves the focus to a row; to one that is not here once it has come. */
  move(/** @type {number} */ place) {
    this.wanted = clamp(place, 0, this.total - 1);
    if (this.wanted < this.first || this.wanted >= this.first + this.rows.length) {
      this.ask({ first: clamp(this.wanted - Math.floor(this.limit / 2), 0, this.total - 1) });
    } else this.focusWanted();
  }

  focusWanted() {
    const node = this.nodes().find(({ logRow }) => logRow.place === this.wanted);
    if (!node) return;
    this.active = Number(this.wanted);
    this.wanted = null;
    this.rove();
    node.focus({ preventScroll: true });
    keepInSight(node, this.scroll, LOG_ROW);
    this.scrolledTo = this.scroll.scrollTop;
  }
}

/** @param {Placed} row @param {Selected} selected */
function isPicked({ mark, moment, position }, selected) {
  if (position !== null) return isPosition(position, selected);
  return selected.mark === mark || (selected.kind === "step" && mark.startsWith("step") && selected.moment === moment);
}

/** @param {Placed} first @returns {RowNode} */
function logRowNode(first) {
  const cell = (/** @type {string} */ name, /** @type {(Element | string)[]} */ ...children) =>
    make("span", { role: "gridcell", class: `cl-log-${name}` }, ...children);
  const unfold = make("button", { type: "button", class: "cl-button cl-small cl-quiet cl-log-unfold", tabindex: "-1",
    title: "Show it whole" }, icon("unfold"));
  const node = make("div", { role: "row", class: "cl-log-row" }, cell("step"),
    cell("what", unfold, make("span", { class: "cl-log-name" })), cell("stream"),
    cell("content", make("span", { class: "cl-log-outcome" }), make("span")), cell("cause"), cell("time"));
  return Object.assign(node, { logRow: first });
}

function updateLogRow(/** @type {RowNode} */ node, /** @type {Placed} */ row) {
  const [step, what, stream, content, cause, time] = /** @type {HTMLElement[]} */ ([...node.children]);
  node.logRow = row;
  const name = row.position === null ? row.name : `${row.name} #${count(row.position)}`;
  put(node, "class", `cl-log-row ${row.is_past ? "cl-past" : "cl-later"}`);
  put(node, "aria-current", row.isLatest ? "step" : null);
  put(node, "aria-level", row.depth + 1);
  put(node, "aria-rowindex", row.place + 2);
  put(node, "title", row.is_past ? null : "Not yet");
  node.style.setProperty("--cl-depth", String(Math.min(row.depth, 8)));
  setText(step, row.moment ? count(row.moment) : "");
  const [unfold, named] = what.children;
  put(unfold, "aria-label", `Show ${name} whole`);
  if (named.children.length < 2) named.append(make("span"));
  setGlyph(named, row.kind);
  setText(named.children[1], name);
  put(what, "title", name);
  stream.replaceChildren(...nameParts({ stream_id: row.stream_id, category: row.stream_id.split("-")[0] }));
  put(stream, "title", row.stream_id);
  const [outcome, detail] = content.children;
  setText(outcome, row.outcome);
  outcome.classList.toggle("cl-log-rejected", row.kind === "rejected");
  outcome.classList.toggle("cl-later", row.decided !== null && !row.is_decided);
  setText(detail, row.detail);
  put(content, "title", [row.outcome, row.detail].filter(Boolean).join("\n"));
  setText(cause, row.cause);
  put(cause, "title", row.cause);
  setText(time, row.recorded_at.replace(/^\d{4}-\d\d-\d\d /, "").replace(/(\.\d+)?(\+00:00)?$/, ""));
  put(time, "title", row.recorded_at ? `${row.recorded_at}, correlation ${row.correlation}` : null);
}
