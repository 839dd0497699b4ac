// Two branches side by side: where they part, and only what differs; a press on a difference goes to its moment.

import { button } from "./buttons.js";
import { choiceOf, count, make, nameParts, put, setText, show } from "./elements.js";
import { keyed } from "./lists.js";
import { glyph } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { ComparisonPart, ComparisonRow, ComparisonView } from "#views"
 */

const MORE_DIFFERENCES = 100;
const MOST_DIFFERENCES = 400;
/** @type {Record<string, string>} */
const PART_TITLES = { event: "Events", command: "Commands", state: "State", pending: "Pending commands" };
// What happened at a step; the rest is as of the end.
const HAPPENINGS = ["event", "command"];
/** @type {Record<string, string>} */
const PART_GLYPHS = { event: "event", command: "command", pending: "command" };
const SIDES = /** @type {const} */ (["a", "b"]);

export function mountComparison(/** @type {HTMLElement} */ root, /** @type {LabHandle} */ lab) {
  /** @type {ComparisonView | null} */
  let shown = null;
  let limit = 0;
  const choices = SIDES.map((side, index) =>
    make("select", { class: "cl-input cl-select", "aria-label": index ? "Second branch" : "First branch",
      on: { change: () => choose({ [side]: choices[index].value }) } })
  );
  const sentence = make("span", { class: "cl-comparison-sentence" });
  const parted = button({ kind: "cl-small", text: " ", title: "Go to where the branches part",
    on: () => go("a", shown?.parted ?? 0) });
  const parts = make("div");
  const hint = make("p", { class: "cl-hint" });
  const columns = make("div", { class: "cl-compare-head" }, make("span"), ...choices);
  const body = make("div", { class: "cl-scroll cl-view-body cl-compare", tabindex: "-1" }, columns,
    make("p", { class: "cl-compare-parted" }, sentence, parted), parts, hint);
  root.append(body);

  /** What is compared stays, also when another branch is looked at. */
  function choose(/** @type {{ a?: string, b?: string }} */ changed = {}) {
    if (shown) lab.setOptions("comparison", { a: shown.a, b: shown.b, ...changed });
  }
  /** Goes to a moment of one of the branches; one that both share is on the branch that is looked at. */
  function go(/** @type {"a" | "b"} */ side, /** @type {number} */ moment) {
    if (!shown) return;
    const isShared = shown.parted !== null && moment <= shown.parted;
    const here = isShared && [shown.a, shown.b].includes(shown.current) ? shown.current : shown[side];
    choose();
    if (here !== shown.current) lab.send("switch", { branch: here });
    lab.goto(moment);
  }
  return {
    parts: ["comparison"],
    update(/** @type {ComparisonView} */ value) {
      shown = value;
      SIDES.forEach((side, index) => {
        keyed(choices[index],
          value.branches.map(({ name, label }) => ({ name, label, isHere: name === value.current })),
          ({ name }) => name, ({ name }) => make("option", { value: name }),
          (option, { label, isHere }) => setText(option, isHere ? `${label} (looked at)` : label));
        choices[index].value = value[side];
      });
      setText(sentence, value.sentence);
      show(parted, value.parted !== null);
      setText(parted.children[0], `Go to step ${count(value.parted ?? 0)}`);
      const named = value.parts.map((part) => ({ ...part,
        names: SIDES.map((side) => branchLabel(value, value[side])) })
      );
      keyed(parts, named, ({ part }) => part, () =>
        partNode(go, () => {
          limit = Math.min(MOST_DIFFERENCES, limit + MORE_DIFFERENCES);
          lab.setOptions("comparison", { limit });
        }), updatePart);
      show(hint, value.branches.length < 2);
      setText(hint, "There is one branch. Go back and act there, and a second one begins.");
    },
  };
}

/** @param {ComparisonView} value @param {string} name */
function branchLabel(value, name) {
  return value.branches.find((each) => each.name === name)?.label ?? name;
}

/** @typedef {ComparisonPart & { names: string[] }} NamedPart */
/** @typedef {ReturnType<typeof partNode>} PartNode */

/** @param {(side: "a" | "b", moment: number) => void} go @param {() => void} more */
function partNode(go, more) {
  const title = make("h3", { class: "cl-compare-title" });
  const rows = make("div", { role: "list" });
  const rest = button({ kind: "cl-small", text: " ", on: more });
  return Object.assign(make("section", { class: "cl-compare-part" }, title, rows, rest), {
    own: { title, rows, rest, go },
  });
}

/** @param {PartNode} node @param {NamedPart} part */
function updatePart(node, { part, title, total, rows, names }) {
  const { own } = node;
  setText(own.title, `${PART_TITLES[part]}: ${title}`);
  keyed(own.rows, rows.map((row) => ({ ...row, part, names })), ({ key }) => key, () => differenceNode(own.go),
    updateDifference);
  put(own.rows, "aria-label", PART_TITLES[part]);
  show(own.rest, total > rows.length && rows.length < MOST_DIFFERENCES);
  setText(own.rest.children[0], `${count(total - rows.length)} more`);
}

/** @typedef {ReturnType<typeof differenceNode>} DifferenceNode */

function differenceNode(/** @type {(side: "a" | "b", moment: number) => void} */ go) {
  const name = make("span", { class: "cl-compare-name" });
  /** @type {(number | null)[]} */
  const moments = [null, null];
  const sides = SIDES.map((side, index) =>
    make("button", { type: "button", class: "cl-compare-side", on: { click: () => {
      const moment = moments[index];
      if (moment !== null) go(side, moment);
    } } }, make("span"))
  );
  return Object.assign(make("div", { class: "cl-compare-row", role: "listitem" }, name, ...sides), {
    own: { name, sides, moments },
  });
}

/** @param {DifferenceNode} node @param {ComparisonRow & { part: string, names: string[] }} row */
function updateDifference(node, row) {
  const { name, sides, moments } = node.own;
  const stream = make("span", { class: "cl-stream" },
    ...nameParts({ stream_id: row.stream_id, category: row.stream_id.split("-")[0] }));
  const kind = choiceOf(row.part, PART_GLYPHS);
  const subject = make("span", { class: "cl-compare-subject" }, kind ? glyph(kind) : null,
    make("span", { text: row.subject }));
  name.replaceChildren(...(row.subject ? [subject] : []), ...(row.stream_id ? [stream] : []));
  put(name, "title", [row.subject, row.stream_id].filter(Boolean).join(", "));
  SIDES.forEach((side, index) => {
    const [text, moment] = [row[side], side === "a" ? row.moment_a : row.moment_b];
    const isThere = row.status !== `only in ${side === "a" ? "b" : "a"}`;
    moments[index] = isThere ? moment : null;
    const step = isThere && moment !== null && HAPPENINGS.includes(row.part) ? `step ${count(moment)}` : "";
    sides[index].children[0].replaceChildren(make("span", { class: "cl-muted", text: step && `${step}: ` }),
      isThere ? text : "not there");
    put(sides[index], "data-absent", isThere ? null : "");
    put(sides[index], "aria-disabled", moments[index] === null ? "true" : null);
    put(sides[index], "title", isThere ? text : null);
    const what = [row.subject, row.stream_id].filter(Boolean).join(" ");
    const has = isThere ? [step, text].filter(Boolean) : ["not there"];
    put(sides[index], "aria-label", `${row.names[index]}: ${[what, ...has].join(", ")}`);
  });
}
