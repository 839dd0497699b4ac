// The search over the whole run, in the head: what is found, by kind, and the way from one match to the next.

import { button, disable, isDisabled, searchBox } from "./buttons.js";
import { choiceOf, closest, count, freshId, make, put, setText, show } from "./elements.js";
import { keepInSight, keyed } from "./lists.js";
import { glyph } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { Hit, HitGroup, SearchResults } from "#views"
 */

/** @type {Record<string, string>} */
const KIND_TITLES = { stream: "Streams", event: "Events", rejection: "Rejections", fault: "Faults",
  wait: "Time that passed", pending: "Pending commands", deadline: "Deadlines" };

/** @param {HTMLElement} root @param {LabHandle} lab @param {(hit: Hit) => void} reveal */
export function mountSearch(root, lab, reveal) {
  const id = freshId("results");
  const field = searchBox("Search the run", (query) => lab.setOptions("search", { query }));
  const total = make("span", { class: "cl-results-total" });
  const before = button({ icon: "left", label: "Previous match", title: "Previous match (N)", kind: "cl-small cl-quiet",
    on: () => leap(before, "before") });
  const after = button({ icon: "right", label: "Next match", title: "Next match (n)", kind: "cl-small cl-quiet",
    on: () => leap(after, "after") });
  const clear = button({ icon: "close", label: "Clear the search", title: "Clear the search (Esc)",
    kind: "cl-small cl-quiet", on: () => empty() });
  const list = make("div", { class: "cl-results-list", role: "listbox", id, "aria-label": "Found in the run" });
  const box = make("div", { class: "cl-results", hidden: true },
    make("div", { class: "cl-results-head" }, total, make("span", { class: "cl-gap" }), before, after, clear), list);
  // What is typed into is a combobox: the focus stays in it while the arrows go through the list.
  for (const [name, value] of Object.entries({ type: "text", role: "combobox", autocomplete: "off", spellcheck: "false",
    "aria-autocomplete": "list", "aria-controls": id, "aria-expanded": "false", "aria-keyshortcuts": "/" }))
  {
    put(field, name, value);
  }
  root.append(field, box);
  /** @type {Hit[]} */
  let hits = [];
  /** @type {{ before: Hit | null, after: Hit | null }} */
  let next = { before: null, after: null };
  /** @type {string | null} */
  let active = null;
  let isFresh = true;
  // Enter, while what was typed is not found yet: whether it leads back.
  /** @type {{ isBack: boolean } | null} */
  let waiting = null;

  const isOpen = () => !box.hidden;
  const options = () => [...list.querySelectorAll("[role=option]")];

  function open() {
    if (field.value.trim() === "") return;
    show(box, true);
    put(field, "aria-expanded", "true");
  }
  function close() {
    show(box, false);
    put(field, "aria-expanded", "false");
    point(null);
    waiting = null;
  }
  function empty() {
    field.value = "";
    lab.setOptions("search", { query: "" });
    close();
    field.focus();
  }
  /** Marks the hit that Enter takes; it never has the focus itself. */
  function point(/** @type {string | null} */ key) {
    active = key;
    /** @type {Element | null} */
    let pointed = null;
    for (const option of options()) {
      const chosen = option.getAttribute("data-hit") === key;
      put(option, "aria-selected", chosen ? "true" : "false");
      if (chosen) pointed = option;
    }
    put(field, "aria-activedescendant", pointed?.id);
    if (pointed) keepInSight(pointed, list);
  }
  function move(/** @type {number} */ step) {
    if (!isOpen()) {
      open();
      return;
    }
    const place = hits.findIndex(({ key }) => key === active);
    const from = place < 0 && step < 0 ? 0 : place;
    if (hits.length) point(hits[(from + step + hits.length) % hits.length].key);
  }
  function leap(/** @type {Element} */ node, /** @type {"before" | "after"} */ which) {
    if (!isDisabled(node) && next[which]) goTo(next[which], lab, reveal);
  }
  function take(/** @type {Hit | null | undefined} */ hit) {
    close();
    if (hit) goTo(hit, lab, reveal);
  }
  function enter(/** @type {boolean} */ isBack) {
    field.askNow();
    if (lab.asks("set_options search")) {
      waiting = { isBack };
      return;
    }
    const chosen = hits.find(({ key }) => key === active);
    if (chosen) take(chosen);
    else take(isBack ? next.before : next.after ?? hits[0]);
  }

  field.addEventListener("input", () => {
    waiting = null;
    if (field.value.trim()) open();
    else close();
  });
  field.addEventListener("click", open);
  field.addEventListener("keydown", (event) => {
    const acts = {
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      Enter: () => enter(event.shiftKey),
      Escape: () => (isOpen() ? close() : empty()),
    };
    const act = choiceOf(event.key, acts);
    if (!act || event.isComposing) return;
    event.preventDefault();
    act();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    close();
    field.focus();
  });
  // A press in the list must not take the focus from the field, or the list would close before the click.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = closest(event.target, "[role=option]");
    if (option) take(hits.find(({ key }) => key === option.getAttribute("data-hit")));
  });
  root.addEventListener("focusout", (event) => {
    if (!(event.relatedTarget instanceof Node && root.contains(event.relatedTarget))) close();
  });

  return {
    parts: ["search"],
    focus() {
      field.focus();
      field.select();
    },
    next: () => leap(after, "after"),
    previous: () => leap(before, "before"),
    answered() {
      if (waiting && !lab.asks("set_options search")) enter(waiting.isBack);
    },
    update(/** @type {SearchResults} */ found, /** @type {Partial<SearchResults>} */ patch) {
      hits = found.hits;
      // Python still knows the search when the page is opened again.
      if (isFresh && field.value === "") field.value = found.query;
      isFresh = false;
      next = { before: found.before, after: found.after };
      if (patch.groups || patch.hits) keyed(list, grouped(found), ({ kind }) => kind, groupNode, updateGroup);
      disable(before, !found.before);
      disable(after, !found.after);
      setText(total, found.sentence);
      show(list, hits.length > 0);
      point(hits.some(({ key }) => key === active) ? active : null);
    },
  };
}

/** Shows a hit in every view: goes to the moment at which it came to be, and selects it. */
function goTo(/** @type {Hit} */ hit, /** @type {LabHandle} */ lab, /** @type {(hit: Hit) => void} */ reveal) {
  if (hit.kind === "pending") reveal(hit);
  else if (hit.kind === "deadline") lab.select({ command_id: hit.command_id });
  else if (hit.kind === "stream") {
    lab.select({ stream_id: hit.stream_id });
    // A stream that is there already is looked at as it is now.
    if (!hit.is_past) lab.goto(Number(hit.moment));
  } else lab.select({ mark: hit.mark, go: true });
}

function grouped(/** @type {SearchResults} */ { groups, hits }) {
  return groups.map((group) => ({ ...group, hits: hits.filter(({ kind }) => kind === group.kind) }));
}

function groupNode(/** @type {HitGroup} */ { kind }) {
  const title = make("div", { class: "cl-results-kind", id: freshId("kind") });
  return make("div", { class: "cl-results-group", role: "group", "aria-labelledby": title.id, "data-kind": kind },
    title, make("div", { role: "presentation" }));
}

/** @param {Element} node @param {HitGroup & { hits: Hit[] }} group */
function updateGroup(node, { kind, total, shown, hits }) {
  const [title, items] = node.children;
  setText(title, shown < total
    ? `${KIND_TITLES[kind]}: the nearest ${count(shown)} of ${count(total)}`
    : `${KIND_TITLES[kind]}: ${count(total)}`);
  keyed(items, hits, ({ key }) => key, hitNode, updateHit);
}

function hitNode(/** @type {Hit} */ { key, shape }) {
  const node = make("div", { class: "cl-hit", role: "option", id: freshId("hit"), "aria-selected": "false" },
    glyph(shape), make("span", { class: "cl-hit-label" }), make("span", { class: "cl-hit-where" }),
    make("span", { class: "cl-hit-detail" }), make("span", { class: "cl-hit-when" }));
  put(node, "data-hit", key);
  return node;
}

function updateHit(/** @type {Element} */ node, /** @type {Hit} */ hit) {
  const [, label, where, detail, when] = node.children;
  const stream = hit.kind === "stream" ? hit.shape : hit.stream_id;
  setText(label, hit.label);
  setText(where, stream);
  setText(detail, hit.detail);
  setText(when, hit.moment === null
    ? (hit.kind === "deadline" ? "set" : "pending")
    : hit.is_past
    ? `step ${count(hit.moment)}`
    : `step ${count(hit.moment)}, not yet`);
  put(node, "title", [hit.label, stream, hit.detail].filter(Boolean).join("\n"));
  node.classList.toggle("cl-later", !hit.is_past && hit.moment !== null);
}
