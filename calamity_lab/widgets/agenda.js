// Next: the command in progress, and the pending ones in order, each with what caused it and what it would do. Below,
// where moves stop.

import { button, disable, discloses, textEntry } from "./buttons.js";
import { count, freshId, indent, make, put, setText, show, showText } from "./elements.js";
import { keepInSight, keyed, Reach } from "./lists.js";
import { glyph, icon, kindClass, showStop, stopSign } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { Action, AgendaEntry, AgendaView, ArmedEntry, ControlsView, DueEntry, FaultOffer, Hit, NoteRow, StopRow, StopsView } from "#views"
 */

// What a command would lead to, as an icon beside the sentence.
/** @type {Record<string, string>} */
const OUTCOMES = { records: "good", nothing: "plain", rejected: "rejected", breaks: "error", unknown: "plain" };
const AGENDA_PAGE = 24;
const AS_THINGS_STAND = "This is how things stand now; commands before this one may change it";

export function mountAgenda(/** @type {HTMLElement} */ root, /** @type {LabHandle} */ lab) {
  const title = freshId("next");
  const total = make("span", { class: "cl-muted" });
  const progress = make("ol", { class: "cl-entries" });
  const list = make("ol", { class: "cl-entries" });
  const hint = make("p", { class: "cl-hint" });
  const more = make("button", { type: "button", class: "cl-link cl-more",
    on: { click: () => showUpto(page + AGENDA_PAGE) } });
  const armed = make("ol", { class: "cl-entries cl-armed", "aria-label": "Armed faults" });
  const faults = mountFaults(lab);
  const scroll = make("div", { class: "cl-scroll", tabindex: "-1" });
  const reach = new Reach(scroll, { least: 4, room: 100, ask: (limit) => lab.setOptions("agenda", { limit }) });
  // The most entries that can be scrolled to; a press shows more.
  let page = 12;
  /** @type {string | null} */
  let sought = null;
  const notes = notesList(lab);
  const due = dueList(lab);
  const noted = button({ icon: "edit", text: "Note", title: "Keep a finding with the step that is shown",
    kind: "cl-small cl-quiet", on: () => entry.open() });
  const entry = textEntry("Note", (text) => lab.send("note", { text }), () => noted.focus());
  scroll.append(armed, progress, list, reach.rest, more, due.node, hint, notes.node);
  root.append(
    make("div", { class: "cl-pane cl-next", role: "group", "aria-labelledby": title },
      make("header", { role: "none" }, make("h2", { id: title, text: "Next" }), total,
        make("span", { class: "cl-gap" }), noted, faults.button), faults.list, entry.node, scroll),
  );

  function showUpto(/** @type {number} */ index) {
    page = Math.max(page, index);
    if (index > reach.there) reach.want(index);
  }

  /** Marks the entry that was looked for, and brings it into sight once. */
  function mark() {
    for (const node of list.children) {
      const known = node.hasAttribute("aria-current");
      const isSought = node.getAttribute("data-command") === sought;
      put(node, "aria-current", isSought ? "true" : null);
      if (!known && isSought) keepInSight(node, scroll);
    }
  }
  return {
    parts: ["agenda"],
    close: () => reach.close(),
    reveal(/** @type {Hit} */ { command_id, index }) {
      sought = null;
      mark();
      sought = command_id;
      showUpto((index ?? 0) + 1);
      mark();
    },
    update(/** @type {AgendaView} */ value) {
      const { total: all, in_progress: now, entries, armed: waiting, faults: offers } = value;
      // A page has this branch only, and nobody to ask for another.
      notes.update(value.notes.filter(({ is_here: isHere }) => isHere || !lab.isRecorded));
      faults.update(offers);
      show(noted, !lab.isRecorded && !lab.values.fact?.is_fixed);
      show(armed, waiting.length > 0);
      due.update(value);
      keyed(armed, waiting, ({ fault_id }) => fault_id, (fault) => armedNode(lab, fault), () => {});
      setText(total, all ? `${count(all)} pending` : "");
      keyed(progress, now ? [{ ...now, is_next: false, waits: false }] : [], (entry) => entry.command_id,
        () => entryNode(lab, null), updateEntry);
      keyed(list, entries.map((entry, index) => placed(entry, index, now !== null)), (entry) => entry.command_id,
        () => entryNode(lab, list), updateEntry, () => true);
      // A page keeps the first only, and has no more of them however many are asked for.
      const isCut = lab.isRecorded && entries.length < reach.wanted;
      reach.update(entries.length, isCut ? entries.length : Math.min(all, page));
      if (sought !== null) mark();
      showText(more, all > page ? `${count(all - page)} more…` : "");
      show(hint, !all && !now);
      setText(hint, lab.isRecorded
        ? "Nothing is pending."
        : `Nothing is pending. Send a command below, ${
          value.deadlines ? "or wait for what is due" : "then step over"
        }.`);
    },
  };
}

/** The faults that can be injected, behind a button. @param {LabHandle} lab */
function mountFaults(lab) {
  const list = make("div", { class: "cl-legend cl-faults", id: freshId("faults"), role: "group",
    "aria-label": "Faults" });
  const toggle = button({ text: "Faults", title: "Let something go wrong: a crash, a lost command, another writer",
    kind: "cl-small cl-quiet" });
  const node = make("span", { class: "cl-faults-button" }, glyph("injected"), toggle);
  const open = discloses(toggle, list, () => {
    if (list.firstElementChild instanceof HTMLElement) list.firstElementChild.focus();
  });
  function inject(/** @type {FaultOffer} */ offer) {
    open(false);
    toggle.focus();
    lab.send("inject", { ...offer.arguments });
  }
  for (const part of /** @type {HTMLElement[]} */ ([toggle, list])) {
    part.addEventListener("focusout", (event) => {
      const to = event.relatedTarget;
      if (to instanceof Node && to !== toggle && !list.contains(to)) open(false);
    });
  }
  return {
    button: node,
    list,
    update(/** @type {readonly FaultOffer[]} */ offers) {
      show(node, offers.length > 0);
      keyed(list, [...offers], ({ label }) => label,
        (offer) =>
          make("button", { type: "button", class: "cl-button cl-quiet", title: offer.title, text: offer.label }),
        (choice, offer) => {
          choice.onclick = () => inject(offer);
        });
    },
  };
}

/** A fault that waits for its moment. @param {LabHandle} lab @param {ArmedEntry} entry */
function armedNode(lab, { fault_id, fault, waits_for }) {
  const back = button({ icon: "close", label: `Take ${fault} back`, title: "Take this fault back",
    kind: "cl-small cl-quiet", on: () => lab.send("take_back", { fault_id }) });
  return make("li", { class: "cl-entry" },
    make("div", { class: "cl-entry-head" }, glyph("injected"), make("span", { class: "cl-entry-fault", text: fault }),
      make("span", { class: "cl-gap" }), lab.isRecorded ? null : back),
    make("div", { class: "cl-entry-target", text: `waits for ${waits_for}` }));
}

/** The deadlines that are set, in order of when they are due. */
function dueList(/** @type {LabHandle} */ lab) {
  const list = make("ol", { class: "cl-entries" });
  const more = make("p", { class: "cl-hint" });
  const node = headed("Due", list, more);
  return {
    node,
    update(/** @type {AgendaView} */ { due, deadlines }) {
      show(node, due.length > 0);
      keyed(list, due, ({ command_id }) => command_id, () => dueNode(lab), updateDue);
      showText(more, deadlines > due.length ? `${count(deadlines - due.length)} more` : "");
    },
  };
}

/** What is below the pending commands, under a heading. @param {string} title @param {HTMLElement[]} content */
function headed(title, ...content) {
  const id = freshId("headed");
  return make("section", { role: "group", "aria-labelledby": id, hidden: true }, make("h3", { id, text: title }),
    ...content);
}

/** A deadline that is set. @param {LabHandle} lab */
function dueNode(lab) {
  const name = make("button", { type: "button", class: "cl-entry-name cl-due-name", title: "See this deadline whole",
    on: {
      click: (/** @type {Event} */ press) => lab.select({ command_id: node.getAttribute("data-command") }, press),
    } });
  const [far, at, command] = [make("span", { class: "cl-badge" }), make("span"), make("span", { class: "cl-muted" })];
  const cause = make("button", { type: "button", class: "cl-link",
    on: { click: () => lab.goto(Number(cause.value)) } });
  const line = make("li", { class: "cl-entry" }, make("div", { class: "cl-entry-head" }, glyph("deadline"), name, far),
    make("div", { class: "cl-entry-target" }, at, command), make("div", { class: "cl-entry-origin" }, cause));
  const node = Object.assign(line, { dueParts: { name, far, at, command, cause } });
  return node;
}

/** @param {ReturnType<typeof dueNode>} node @param {DueEntry} entry */
function updateDue(node, entry) {
  const { name, far, at, command, cause } = node.dueParts;
  put(node, "data-command", entry.command_id);
  setText(name, entry.deadline);
  setText(far, entry.far);
  far.classList.toggle("cl-overdue", entry.is_overdue);
  setText(at, entry.due_at);
  setText(command, entry.command === entry.deadline ? "" : entry.command);
  setText(cause, `set because of ${entry.origin}`);
  leadTo(cause, entry.cause);
}

/** Has a button lead to the moment that caused an entry. @param {Element} button @param {number | null} cause */
function leadTo(button, cause) {
  put(button, "value", cause);
  put(button, "title", cause === null ? null : `Go to step ${count(cause)}, which caused it`);
}

/** The findings that a person kept, each with the way to its moment. */
function notesList(/** @type {LabHandle} */ lab) {
  const list = make("ul", { class: "cl-notes" });
  const node = headed("Notes", list);
  return {
    node,
    update(/** @type {NoteRow[]} */ notes) {
      show(node, notes.length > 0);
      keyed(list, notes, ({ number }) => number, () => noteLine(lab), updateNote);
    },
  };
}

/** @typedef {HTMLElement & { noteParts: { press: HTMLElement, where: HTMLElement, note: NoteRow | null } }} NoteLine */

/** @param {LabHandle} lab @returns {NoteLine} */
function noteLine(lab) {
  const where = make("span", { class: "cl-muted" });
  const press = make("button", { type: "button", class: "cl-link", on: { click: () => {
    const { note } = noteParts;
    if (note && lab.isRecorded) lab.goto(note.moment);
    else if (note) lab.send("goto_note", { number: note.number });
  } } });
  const noteParts = { press, where, note: /** @type {NoteRow | null} */ (null) };
  return Object.assign(make("li", {}, press, " ", where), { noteParts });
}

function updateNote(/** @type {NoteLine} */ node, /** @type {NoteRow} */ note) {
  const { press, where } = node.noteParts;
  node.noteParts.note = note;
  setText(press, note.text);
  put(press, "title", "Go to the moment of this note");
  setText(where, `step ${count(note.moment)}${note.is_here ? "" : ` on ${note.branch}`}`);
}

/** An entry as it is drawn: all but the first few look the same at any index, and are left alone. */
function placed(/** @type {AgendaEntry} */ entry, /** @type {number} */ index, /** @type {boolean} */ isRunning) {
  return { ...entry, is_next: index === 0, waits: index > 0 || isRunning };
}

/**
 * A command that waits in a list, whose index says which it is; or, without a list, the command in progress. Which command
 * it is may change.
 */
function entryNode(/** @type {LabHandle} */ lab, /** @type {Element | null} */ list) {
  const index = () => [...(list?.children ?? [])].indexOf(node);
  const name = make("button", { type: "button", class: "cl-entry-name", title: "See this command whole", on: {
    click: (/** @type {Event} */ press) => lab.select({ command_id: node.getAttribute("data-command") }, press),
  } });
  const badge = make("span", { class: "cl-badge" });
  const run = button({ icon: "first", title: "Run this next", kind: "cl-small cl-quiet",
    on: () => lab.send("choose", { index: index() }) });
  const running = list === null;
  const drop = button({ icon: "close", kind: "cl-small cl-quiet",
    title: running ? "Take this command back, off the agenda" : "Take this command off the agenda",
    on: () => (running ? lab.send("abandon") : lab.send("drop", { index: index() })) });
  const cause = make("button", { type: "button", class: "cl-link",
    on: { click: () => lab.goto(Number(node.entryParts.cause.value)) } });
  const origin = make("span", { class: "cl-muted" });
  const line = make("li", { class: "cl-entry" },
    make("div", { class: "cl-entry-head" }, glyph("command"), name, badge, make("span", { class: "cl-gap" }), run,
      drop), make("div", { class: "cl-entry-target" }, make("span"), origin), make("div", { class: "cl-entry-fields" }),
    make("div", { class: "cl-entry-preview" }, make("span"), make("span")),
    make("div", { class: "cl-entry-origin" }, cause));
  const node = Object.assign(line, { entryParts: { name, badge, run, drop, running, cause, origin } });
  return node;
}

/**
 * @typedef {ReturnType<typeof entryNode>} EntryNode
 * @typedef {AgendaEntry & { is_next: boolean, waits: boolean }} PlacedEntry
 */

function updateEntry(/** @type {EntryNode} */ node, /** @type {PlacedEntry} */ entry) {
  const { name, badge, run, drop, running, cause, origin } = node.entryParts;
  const [, target, fields, preview] = node.children;
  put(node, "data-command", entry.command_id);
  setText(name, entry.command);
  put(run, "aria-label", `Run ${entry.command} next`);
  put(drop, "aria-label", running ? `Take ${entry.command} back` : `Drop ${entry.command}`);
  setText(target.children[0], entry.target);
  setText(fields, entry.fields);
  put(fields, "title", entry.fields);
  showText(badge, running ? "in progress" : entry.is_next ? "next" : "");
  node.classList.toggle("cl-running", running);
  show(run, !running && !entry.is_next);
  indent(node, Math.min(entry.depth, 4));
  showText(cause, entry.cause === null ? "" : entry.origin);
  leadTo(cause, entry.cause);
  showText(origin, entry.cause === null ? entry.origin : "");
  updatePreview(/** @type {HTMLElement} */ (preview), entry);
}

function updatePreview(/** @type {HTMLElement} */ node, /** @type {PlacedEntry} */ { outcome, preview, waits }) {
  const [mark, sentence] = node.children;
  show(node, preview !== "");
  setText(sentence, waits ? preview.replace(/^would /, "would now ") : preview);
  put(node, "title", waits ? `${preview}\n${AS_THINGS_STAND}` : preview);
  if (node.dataset.outcome === outcome) return;
  node.dataset.outcome = outcome;
  mark.replaceChildren(icon(OUTCOMES[outcome]));
}

// Breakpoints, watches and invariants in one list: their values at the cursor, and how to set another one.

const CHOICE_GROUPS = { command: "A command", event: "An event", aggregate: "Every command to",
  "process manager": "Every reaction of", rejection: "Anything that goes wrong", conflict: "Anything that goes wrong",
  deadline: "Time that passes" };
const NO_STOPS =
  "Moves stop at a breakpoint. Choose one above, or press a message, a lane or a field and then “Break”. "
  + "lab.watch(…) and lab.invariant(…) add what you want to see at each step.";

/** @param {HTMLElement} root @param {LabHandle} lab */
export function mountStops(root, lab) {
  const title = freshId("stops");
  const total = make("span", { class: "cl-muted" });
  const choose = make("select", { class: "cl-input cl-select", "aria-label": "Break on",
    title: "Stop every move where this happens" });
  const back = button({ icon: "backOver", text: "Back to the last stop", kind: "cl-small",
    title: "Go back to where a breakpoint or a broken invariant stops a move (<)", on: () => lab.send("reverse") });
  const offers = make("div", { class: "cl-stop-offers", role: "group", "aria-label": "Breakpoints on the selection" });
  const list = make("ul", { class: "cl-entries", "aria-labelledby": title });
  const hint = make("p", { class: "cl-hint", text: NO_STOPS });
  const node = make("details", { class: "cl-pane cl-stops" },
    make("summary", {}, make("h2", { id: title, text: "Breakpoints and watches" }), total),
    make("div", { class: "cl-scroll" }, make("div", { class: "cl-stop-bar" }, choose, back), offers, list, hint));
  root.append(node);
  /** @type {Action[]} */
  let choices = [];
  /** @type {Action[]} */
  let offered = [];
  choose.addEventListener("change", () => {
    const action = choices[Number(choose.value)];
    choose.value = "";
    if (action) lab.send(action.verb, action.arguments);
  });
  let known = 0;
  return {
    parts: ["stops", "controls"],
    /** Sets the first breakpoint that fits what is selected. */
    stopHere() {
      if (offered.length) lab.send(offered[0].verb, { ...offered[0].arguments, label: offered[0].label });
    },
    update(/** @type {any} */ value, /** @type {any} */ patch, /** @type {string} */ part) {
      if (part === "controls") {
        disable(back, /** @type {ControlsView} */ (value).cursor === 0);
        return;
      }
      const { rows } = /** @type {StopsView} */ (value);
      offered = value.offers;
      if (patch.choices) fillChoices(choose, choices = value.choices);
      setText(total, rows.length ? count(rows.length) : "");
      show(hint, !rows.length);
      show(back, rows.length > 0);
      // What is set already has its row below, where it is removed.
      const free = offered.filter(({ verb }) => verb === "break_on");
      show(offers, free.length > 0);
      keyed(offers, free, ({ label }) => label, (action) => offerButton(lab, action), () => {});
      keyed(list, rows, ({ key }) => key, (row) => stopNode(lab, row), updateStop);
      // Somebody has just set one, and wants to see it.
      if (rows.length > known) node.open = true;
      known = rows.length;
    },
  };
}

/** The watches and invariants beside a single view, with their values at its moment. @param {HTMLElement} root */
export function mountWatches(root) {
  const list = make("ul", { class: "cl-watches", "aria-label": "Watches", hidden: true });
  root.append(list);
  return {
    parts: ["stops"],
    update(/** @type {StopsView} */ { rows }) {
      const watches = rows.filter(({ kind, is_on: isOn }) => kind !== "breakpoint" && isOn);
      show(list, watches.length > 0);
      keyed(list, watches, ({ key }) => key, () => make("li", {}, make("span", { class: "cl-muted" }), make("b")),
        (line, { name, value, is_broken: isBroken }) => {
          setText(line.children[0], `${name}: `);
          setText(line.children[1], value);
          line.classList.toggle("cl-broken", isBroken);
        });
    },
  };
}

/** @param {HTMLSelectElement} choose @param {Action[]} choices */
function fillChoices(choose, choices) {
  /** @type {Map<string, HTMLOptGroupElement>} */
  const groups = new Map();
  choices.forEach(({ label, title, arguments: { kind } }, index) => {
    const name = CHOICE_GROUPS[/** @type {keyof typeof CHOICE_GROUPS} */ (kind)];
    const group = groups.get(name) ?? make("optgroup", { label: name });
    groups.set(name, group);
    group.append(make("option", { value: String(index), text: label, title }));
  });
  choose.replaceChildren(make("option", { value: "", text: "Break on…" }), ...groups.values());
}

/** @param {LabHandle} lab @param {Action} action */
function offerButton(lab, { verb, label, title, arguments: details }) {
  return button({ text: label, title, kind: "cl-small", on: () => lab.send(verb, { ...details, label }) });
}

/** @param {LabHandle} lab @param {StopRow} row */
function stopNode(lab, { key, kind }) {
  const check = make("input", { type: "checkbox", class: "cl-check", on: {
    change: () => lab.send("switch_stop", { key, on: check.checked }),
  } });
  const [name, value] = [make("span", { class: "cl-stop-name" }), make("span", { class: "cl-stop-value" })];
  const drop = button({ icon: "close", kind: "cl-small cl-quiet", on: () => lab.send("remove_stop", { key }) });
  const sign = kind === "breakpoint" ? stopSign() : null;
  const node = make("li", { class: `cl-stop ${kindClass(kind)}` }, make("label", {}, check, name), sign, value, drop);
  return Object.assign(node, { stopParts: { check, name, sign, value, drop } });
}

/** @param {ReturnType<typeof stopNode>} node @param {StopRow} row */
function updateStop(node, { kind, name: text, value: now, is_on: isOn, is_broken: isBroken }) {
  const { check, name, sign, value, drop } = node.stopParts;
  if (sign) showStop(sign, isOn ? "on" : "off");
  check.checked = isOn;
  setText(name, kind === "breakpoint" ? text : kind === "invariant" ? `${text} (must hold)` : text);
  put(check, "aria-label", `${kind} ${text}`);
  put(check, "title", isOn ? "Switch it off" : "Switch it on");
  put(drop, "aria-label", `Remove the ${kind} ${text}`);
  put(drop, "title", `Remove this ${kind}`);
  setText(value, now);
  put(value, "title", now.length > 24 ? now : null);
  node.classList.toggle("cl-off", !isOn);
  node.classList.toggle("cl-broken", isBroken);
}
