// Details: a message whole, wherever it was opened: its fields, its ids, what caused it and what it led to.

import { button, textEntry } from "./buttons.js";
import { count, freshId, indent, make, plural, put, setText, show, showText } from "./elements.js";
import { focusedIn, keyed } from "./lists.js";
import { glyph, icon } from "./signs.js";
import { changeParts } from "./state.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { Action, Answer, DetailLink, Details, FieldRow, Section } from "#views"
 */

// How much more of a long text a press on "Show more" brings.
const TEN_TIMES = 10;
const COPIED = 1500;
const BELOW_LINKS = ["about", "metadata"];
const HEADINGS = { causes: "Caused by", effects: "Led to", events: "", answer: "" };

/** The panel in a pane of a root. It follows the selection while it is open. */
export function mountDetails(/** @type {HTMLElement} */ root, /** @type {HTMLElement} */ pane,
  /** @type {LabHandle} */ lab)
{
  const id = freshId("details");
  const sign = make("span", { class: "cl-details-sign" });
  const title = make("h2", { id, tabindex: "-1" });
  const done = button({ icon: "close", label: "Close the details", title: "Close (Escape)", kind: "cl-small cl-quiet",
    on: () => close() });
  const sentence = make("p", { class: "cl-muted cl-details-sentence" });
  const hint = make("p", { class: "cl-hint",
    text: "Nothing is selected. Press an event, a mark, a pending command or a node." });
  // What a message says is above its links, what is known about it below them.
  const [sections, about] = [make("div"), make("div")];
  const links = { causes: linkList(lab, "causes", followed), effects: linkList(lab, "effects", followed),
    events: linkList(lab, "events", followed) };
  const more = make("p", { class: "cl-muted cl-details-more" });
  const actions = make("div", { class: "cl-details-actions", role: "group", "aria-label": "Actions" });
  const answer = answerBox(lab, followed);
  /** @type {ActionButton | null} */
  let asking = null;
  const entry = textEntry("Note", (text) => act(asking, { text }), () => asking?.focus());
  // Some actions need a text first.
  function act(/** @type {ActionButton | null} */ node, /** @type {Record<string, string>} */ more = {}) {
    const action = node?.action;
    if (!action) return;
    if (action.asks && !("text" in more)) {
      asking = node;
      entry.open();
    } else lab.send(action.verb, { ...action.arguments, label: action.label, ...more });
  }
  const scroll = make("div", { class: "cl-scroll" }, sentence, actions, entry.node, answer.node, sections,
    links.causes.node, links.effects.node, links.events.node, more, about, hint);
  const node = make("section", { class: "cl-details", role: "dialog", "aria-labelledby": id, hidden: true },
    make("header", {}, sign, title, make("span", { class: "cl-gap" }), done), scroll);
  pane.append(node);
  const asks = detailAsks(lab);
  /** @type {HTMLElement | SVGElement | null} */
  let before = null;
  let takesFocus = false;
  let key = "";
  let drawn = "";

  function isOpen() {
    return !node.hidden;
  }
  function draw(/** @type {boolean} */ opened) {
    show(node, opened);
    put(root, "data-details", opened ? "open" : null);
  }
  function close() {
    const isWithin = node.contains(focusedIn(root));
    draw(false);
    lab.setOptions("details", { shown: false });
    giveBack(isWithin);
  }
  /** Gives the focus, if the panel had it, back to what opened the panel, or to the tab that is shown now. */
  function giveBack(/** @type {boolean} */ had) {
    if (!had) return;
    const isThere = before && before.isConnected && root.contains(before) && before.getClientRects().length > 0;
    const tab = /** @type {HTMLElement | null} */ (root.querySelector("[role=tab][aria-selected=true]"));
    ((isThere ? before : tab) ?? root).focus();
  }
  // A link is followed: what it leads to takes the place of what it was in.
  function followed() {
    takesFocus = true;
  }
  lab.opened = (event) => {
    const from = focusedIn(root);
    if (!node.contains(from)) before = from;
    // A press of a key, or one that a screen reader makes, has no place on the page.
    takesFocus = event instanceof KeyboardEvent
      || (event.type === "click" && event instanceof MouseEvent && event.detail === 0);
  };
  root.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.key !== "Escape" || !isOpen() || !(target instanceof Element)) return;
    const isElsewhere = target.closest("[role=dialog]:not(.cl-details), input, select, textarea");
    if (target.closest(".cl-text-entry") || (isElsewhere && !node.contains(target))) return;
    event.preventDefault();
    event.stopPropagation();
    close();
  }, true);
  return {
    parts: ["details"],
    update(/** @type {Details} */ value) {
      const wasOpen = isOpen();
      const hadFocus = node.contains(focusedIn(root));
      if (!lab.asks("set_options details")) {
        asks.update(value);
        draw(value.shown);
      }
      if (!isOpen()) {
        giveBack(hadFocus);
        return;
      }
      if (drawn !== value.kind) sign.replaceChildren(value.kind ? glyph(value.kind) : "");
      drawn = value.kind;
      setText(title, value.title || "Details");
      showText(sentence, value.sentence);
      show(hint, value.key === "" && value.answer === null);
      for (const [list, isHere] of /** @type {[HTMLElement, boolean][]} */ ([[sections, false], [about, true]])) {
        keyed(list, value.sections.filter(({ name }) => BELOW_LINKS.includes(name) === isHere), ({ name }) => name,
          (section) => sectionNode(section, asks), updateSection);
      }
      for (const name of /** @type {(keyof typeof links)[]} */ (["causes", "effects", "events"])) {
        links[name].update(value[name], { ...HEADINGS, events: value.heading }[name]);
      }
      show(more, value.more_links > 0);
      setText(more, `and ${plural(value.more_links, "more link")}`);
      show(actions, value.actions.length > 0);
      keyed(actions, value.actions, ({ verb, label }) => `${verb} ${label}`, () => actionButton(act), updateAction);
      answer.update(value.answer);
      if (value.key !== key) scroll.scrollTop = 0;
      key = value.key;
      // What it covers cannot keep the focus.
      const covers = !wasOpen && pane !== root && getComputedStyle(node).position === "absolute";
      if (takesFocus || (covers && pane.contains(before))) title.focus({ preventScroll: wasOpen });
      // The button that was pressed may be gone with what was selected.
      else if (hadFocus && !node.contains(focusedIn(root))) title.focus({ preventScroll: true });
      else if (!wasOpen) lab.later(() => node.scrollIntoView({ block: "nearest" }));
      takesFocus = false;
    },
  };
}

/** @typedef {HTMLButtonElement & { action: Action | null }} ActionButton */

/** @param {(node: ActionButton) => void} act @returns {ActionButton} */
function actionButton(act) {
  /** @type {ActionButton} */
  const node = Object.assign(
    make("button", { type: "button", class: "cl-button cl-small", on: { click: () => act(node) } }),
    { action: /** @type {Action | null} */ (null) },
  );
  return node;
}

function updateAction(/** @type {ActionButton} */ node, /** @type {Action} */ action) {
  node.action = action;
  setText(node, action.label);
  put(node, "title", action.title);
}

/** What an action found out: a sentence, links, or a text to copy. @param {LabHandle} lab @param {() => void} followed */
function answerBox(lab, followed) {
  const id = freshId("answer");
  const [title, sentence] = [make("h3", { id }), make("p")];
  const text = make("pre", { tabindex: "0", "aria-labelledby": id });
  const copy = button({ icon: "copy", text: "Copy", kind: "cl-small",
    on: () => copyText(text.textContent ?? "", copy, "Copy") });
  const links = linkList(lab, "answer", followed);
  const node = make("section", { class: "cl-details-answer", role: "group", "aria-labelledby": id, hidden: true },
    make("header", {}, title, make("span", { class: "cl-gap" }), copy), sentence, links.node, text);
  /** @type {Answer | null} */
  let drawn = null;
  return {
    node,
    update(/** @type {Answer | null} */ value) {
      show(node, value !== null);
      if (value === null || value === drawn) return;
      drawn = value;
      setText(title, value.title);
      showText(sentence, value.sentence);
      showText(text, value.text);
      show(copy, value.text !== "");
      links.update(value.links);
      lab.later(() => node.scrollIntoView({ block: "nearest" }));
    },
  };
}

/** What a person folded and unfolded, and how much of long texts they asked for. */
function detailAsks(/** @type {LabHandle} */ lab) {
  let toggled = /** @type {string[]} */ ([]);
  /** @type {Map<string, number>} */
  const lengths = new Map();
  return {
    // A page has what was recorded of each message, and nobody to ask for more.
    isWhole: !lab.isRecorded,
    toggle(/** @type {string} */ path) {
      toggled = toggled.includes(path) ? toggled.filter((each) => each !== path) : [...toggled, path];
      lab.setOptions("details", { toggled });
    },
    lengthen(/** @type {string} */ path, /** @type {number} */ length) {
      lengths.set(path, length * TEN_TIMES);
      lab.setOptions("details", { lengths: [...lengths] });
    },
    update(/** @type {Details} */ { shown }) {
      if (!shown && (toggled.length || lengths.size)) {
        toggled = [];
        lengths.clear();
        lab.setOptions("details", { toggled, lengths: [] });
      }
    },
  };
}

/** @typedef {ReturnType<typeof detailAsks>} Asks */
/** @typedef {HTMLElement & { sectionParts: { list: HTMLElement, asks: Asks, section: Section } }} SectionNode */

/** @param {Section} section @param {Asks} asks @returns {SectionNode} */
function sectionNode(section, asks) {
  const id = freshId("section");
  const list = make("dl", {});
  const node = make("div", { class: "cl-details-section", role: "group", "aria-labelledby": id },
    make("h3", { id, text: section.name }), list);
  return Object.assign(node, { sectionParts: { list, asks, section } });
}

function updateSection(/** @type {SectionNode} */ node, /** @type {Section} */ section) {
  const { list, asks } = node.sectionParts;
  node.sectionParts.section = section;
  const rows = section.rows.map((row) => ({ ...row, is_cut: section.cut.includes(row.path) }));
  keyed(list, rows, (row) => row.path || row.name, () => lineNode(node, asks), updateLine);
}

/**
 * @typedef {FieldRow & { is_cut: boolean }} Line
 * @typedef {HTMLElement & { line: { row: Line | null, name: HTMLElement, value: HTMLElement, kind: string } }} LineNode
 */

/** @param {SectionNode} section @param {Asks} asks @returns {LineNode} */
function lineNode(section, asks) {
  const value = make("span", { class: "cl-details-value" });
  const name = make("dt");
  const path = () => `${section.sectionParts.section.name} ${node.line.row?.path}`;
  const copy = button({ icon: "copy", kind: "cl-small cl-quiet cl-copy", on: () => {
    if (node.line.row) copyText(node.line.row.value, copy);
  } });
  const more = make("button", { type: "button", class: "cl-link cl-details-on", text: "Show more",
    on: { click: () => asks.lengthen(path(), node.line.row?.value.length ?? 0) } });
  const line = make("div", { class: "cl-line" }, name, make("dd", {}, value, more, copy));
  /** @type {LineNode} */
  const node = Object.assign(line, { line: { row: /** @type {Line | null} */ (null), name, value, kind: "" } });
  name.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("button")) asks.toggle(path());
  });
  put(node, "data-whole", asks.isWhole ? "" : null);
  return node;
}

function updateLine(/** @type {LineNode} */ node, /** @type {Line} */ row) {
  const { name, value } = node.line;
  node.line.row = row;
  const label = row.name || "·";
  const kind = row.inner && !row.gone && node.hasAttribute("data-whole") ? "nested" : "plain";
  if (node.line.kind !== kind) {
    name.replaceChildren(kind === "nested"
      ? make("button", { type: "button", class: "cl-field" }, icon("unfold"), make("span", { class: "cl-field-name" }))
      : make("span", { class: "cl-field-name" }));
    node.line.kind = kind;
  }
  const [shown] = name.children;
  setText(kind === "nested" ? shown.children[1] : shown, label);
  if (kind === "nested") {
    put(shown, "aria-expanded", row.is_open ? "true" : "false");
    put(shown, "aria-label", `${row.name || row.path}, ${plural(row.inner, "value")}`);
  }
  put(name, "title", row.path !== row.name ? row.path : null);
  indent(node, row.depth);
  node.classList.toggle("cl-changed", row.changed);
  node.classList.toggle("cl-opened", row.is_open);
  value.replaceChildren(...valueParts(row));
  const [, more, copy] = /** @type {HTMLElement} */ (value.parentElement).children;
  show(more, row.is_cut && node.hasAttribute("data-whole"));
  put(more, "aria-label", `Show more of ${label}`);
  show(copy, !row.is_open && row.value !== "");
  put(copy, "aria-label", `Copy ${label}`);
  put(copy, "title", row.is_cut ? "Copy what is shown" : "Copy");
}

/** The value; where it changed, what it was or what changed inside it, too. @param {Line} row */
function valueParts(row) {
  if (row.gone) return [make("del", { text: row.before ?? "" })];
  if (row.changes.length) {
    const rest = row.more_changes ? [make("li", { text: `and ${count(row.more_changes)} more` })] : [];
    return [
      make("ul", { class: "cl-changes" }, ...row.changes.map((change) => make("li", {}, ...changeParts(change))),
        ...rest),
      make("span", { text: row.value }),
    ];
  }
  if (row.before === null) return [row.value];
  return [make("del", { text: row.before }), make("span", { class: "cl-arrow", text: " → " }),
    make("strong", { text: row.value })];
}

/**
 * Copies a text, also where a page is not allowed to use the clipboard by itself.
 * @param {string} text @param {HTMLElement} copied the button @param {string} [name] what is written on it
 */
async function copyText(text, copied, name) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = make("textarea", { class: "cl-unseen", "aria-hidden": "true" });
    field.value = text;
    copied.after(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    copied.focus({ preventScroll: true });
  }
  const label = copied.getAttribute("aria-label");
  const words = (/** @type {string} */ said) => (name ? make("span", { class: "cl-button-text", text: said }) : "");
  copied.replaceChildren(icon("good"), words("Copied"));
  put(copied, "aria-label", "Copied");
  setTimeout(() => {
    copied.replaceChildren(icon("copy"), words(name ?? ""));
    if (copied.getAttribute("aria-label") === "Copied") put(copied, "aria-label", label);
  }, COPIED);
}

/**
 * Links to other messages: a press selects one, and goes to its moment.
 * @param {LabHandle} lab @param {keyof typeof HEADINGS} name @param {() => void} followed
 */
function linkList(lab, name, followed) {
  const id = freshId("links");
  const list = make("ul", { class: "cl-details-links" });
  const title = make("h3", { id });
  const node = make("div", { class: "cl-details-section", role: "group", "aria-labelledby": id, hidden: true }, title,
    list);
  function follow(/** @type {DetailLink} */ { mark, command_id: command, stream_id: stream, type }) {
    followed();
    const other = type ? { type } : { stream_id: stream };
    lab.select(mark ? { mark, go: true } : command ? { command_id: command } : other);
  }
  return {
    node,
    update(/** @type {DetailLink[]} */ links, heading = HEADINGS[name]) {
      setText(title, heading);
      show(node, links.length > 0);
      keyed(list, links, (link) => `${link.mark ?? link.command_id ?? link.stream_id ?? link.type} ${link.label}`,
        (link) => linkNode(link, follow), () => {});
    },
  };
}

/** @param {DetailLink} link @param {(link: DetailLink) => void} follow */
function linkNode(link, follow) {
  const press = make("button", { type: "button", class: "cl-link", title: link.mark ? "Go there" : "See it whole",
    on: { click: () => follow(link) } }, glyph(link.kind), make("span", { text: link.label }),
    make("span", { class: "cl-muted", text: ` ${link.detail}` }));
  const node = make("li", {}, press);
  indent(node, Math.min(link.depth, 6));
  return node;
}
