// Two branches side by side: where they part, and only what differs; a press on a difference goes to its moment.
// The lanes of both are on one axis, and below them are the differences as a list.

import { button } from "./buttons.js";
import { choiceOf, clamp, count, draw, make, nameParts, plural, put, setText, show, widthOf } from "./elements.js";
import { labelsBeside, LANE } from "./lanes.js";
import { keyed } from "./lists.js";
import { LOOKS } from "./looks.js";
import { glyph, kindClass } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { ComparedLanes, ComparisonPart, ComparisonRow, ComparisonView, LaneMark, LaneRow, Mark } from "#views"
 * @import { DrawnMark } from "./types.js"
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
// In front of a name in the lanes. Its word is in the line below them, and in the name for a screen reader.
/** @type {Record<string, string>} */
const DIFFERENCE_SIGNS = { "changed": "≠", "only here": "+", "not here": "−", "same": "" };

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
  const bands = comparedLanes((mark, press) => {
    if (!shown || !mark.mark) return;
    lookAt(mark.side, mark.moment);
    lab.select({ mark: mark.mark, go: true }, press);
  });
  const parts = make("div");
  const hint = make("p", { class: "cl-hint" });
  const columns = make("div", { class: "cl-compare-head" }, make("span"), ...choices);
  const body = make("div", { class: "cl-scroll cl-view-body cl-compare", tabindex: "-1" }, columns,
    make("p", { class: "cl-compare-parted" }, sentence, parted), bands.node, parts, hint);
  root.append(body);

  /** What is compared stays, also when another branch is looked at. */
  function choose(/** @type {{ a?: string, b?: string }} */ changed = {}) {
    if (shown) lab.setOptions("comparison", { a: shown.a, b: shown.b, ...changed });
  }
  /** Looks at one of the branches; for a moment that both share, at the one that is looked at already. */
  function lookAt(/** @type {"a" | "b"} */ side, /** @type {number} */ moment) {
    if (!shown) return;
    const isShared = shown.parted !== null && moment <= shown.parted;
    const here = isShared && [shown.a, shown.b].includes(shown.current) ? shown.current : shown[side];
    choose();
    if (here !== shown.current) lab.send("switch", { branch: here });
  }
  function go(/** @type {"a" | "b"} */ side, /** @type {number} */ moment) {
    lookAt(side, moment);
    lab.goto(moment);
  }
  return {
    parts: ["comparison"],
    close: () => bands.close(),
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
      bands.update(value);
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

/** What is drawn for a mark: its point in pixels, and the sign that says how it differs. */
/** @typedef {LaneMark & { id: Mark, px: number, py: number, sign: string }} BandMark */

const BAND_AXIS = 22;
// The axis begins so far behind the event before it.
const BAND_START = 0.5;
const BAND_GAP = "M-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0";
const LEAST_STEP = 124;
const MOST_STEP = 160;

/** The lanes of two branches on one axis: two lanes for each stream, one below the other. */
function comparedLanes(/** @type {(mark: LaneMark, press: Event) => void} */ pick) {
  /** @type {ComparisonView | null} */
  let shown = null;
  /** @type {BandMark[]} */
  let marks = [];
  let focused = "";
  const labels = make("div", { class: "cl-band-labels" });
  const [lines, shade] = [draw("path", { class: "cl-lane-line" }), draw("path", { class: "cl-future" })];
  const split = draw("g", { class: "cl-now" }, draw("line", { y1: 0 }), draw("text", { y: 14 }));
  const before = draw("text", { class: "cl-band-before", x: 4, y: 14 });
  const names = draw("g", { class: "cl-mark-names", "aria-hidden": "true" });
  const gaps = draw("g", { class: "cl-band-gaps", "aria-hidden": "true" });
  const list = draw("g", { role: "listbox", "aria-label": "Lanes of both branches, in order" });
  const svg = draw("svg", { class: "cl-bands" }, shade, lines, split, before, gaps, names, list);
  const plot = make("div", { class: "cl-band-plot" }, svg);
  const key = make("p", { class: "cl-hint" });
  const node = make("section", { class: "cl-compare-lanes" }, key,
    make("div", { class: "cl-band-rows" }, labels, plot));
  const observer = new ResizeObserver(() => paint());
  observer.observe(node);
  list.addEventListener("keydown", (event) => {
    const found = besideBandMark(marks, marks.findIndex(({ id }) => id === focused), event.key);
    if (!found) return;
    event.preventDefault();
    focusOn(found);
  });

  function focusOn(/** @type {BandMark} */ mark) {
    focused = mark.id;
    for (const option of list.children) {
      put(option, "tabindex", option.getAttribute("data-key") === focused ? "0" : "-1");
    }
    const option = [...list.children].find((each) => each.getAttribute("data-key") === focused);
    if (option instanceof SVGElement) option.focus();
  }

  function paint() {
    const lanes = shown?.lanes ?? null;
    show(node, lanes !== null);
    if (!shown || !lanes) return;
    const room = plot.clientWidth;
    // In a narrow widget there are no lanes: the list says the same.
    if (room < LEAST_STEP) return;
    const length = lanes.last - lanes.first - BAND_START;
    const step = clamp(room / length, LEAST_STEP, MOST_STEP);
    const [wide, high] = [Math.max(room, Math.ceil(length * step)), lanes.streams.length * 2 * LANE];
    put(svg, "width", wide);
    put(svg, "height", BAND_AXIS + high);
    const [from, parted] = [lanes.first + BAND_START, (lanes.parted - lanes.first - BAND_START) * step];
    marks = lanes.marks.map((mark) => bandMark(mark, from, step));
    paintBands(shown, lanes, wide, high, parted);
    const [real, missing] = [marks.filter(({ mark }) => mark), marks.filter(({ mark }) => !mark)];
    if (!real.some(({ id }) => id === focused)) focused = (real.find(({ sign }) => sign) ?? real[0])?.id ?? "";
    keyed(list, real, ({ id }) => id, bandMarkNode, (option, mark) => updateBandMark(option, mark, focused));
    keyed(gaps, missing, ({ id }) => id, () => draw("path", { d: BAND_GAP }),
      (gap, { px, py }) => put(gap, "transform", `translate(${px.toFixed(1)} ${py})`));
    paintBandNames(wide, parted);
  }

  /** @param {ComparisonView} view @param {ComparedLanes} lanes @param {number} wide @param {number} high @param {number} x */
  function paintBands(view, lanes, wide, high, x) {
    const rows = lanes.streams.map((_row, number) => BAND_AXIS + number * 2 * LANE);
    put(shade, "d", rows.map((top) => `M0 ${top + LANE}h${wide}v${LANE}h${-wide}z`).join(""));
    put(lines, "d", rows.flatMap((top) => [0.5, 1.5].map((place) => `M0 ${top + place * LANE}h${wide}`)).join(""));
    put(split, "transform", `translate(${x.toFixed(1)} 0)`);
    put(split.children[0], "y2", BAND_AXIS + high);
    setText(split.children[1], "they part here");
    put(split.children[1], "x", 5);
    setText(before, lanes.folded ? `… ${plural(lanes.folded, "event")} before` : "");
    show(before, widthOf(before.textContent ?? "", 11) + 12 < x);
    keyed(labels, lanes.streams.map((row) => ({ ...row, names: SIDES.map((side) => branchLabel(view, view[side])) })),
      ({ stream_id, names: [a, b] }) => [stream_id, a, b].join(), bandLabel, () => {});
    const more = [
      lanes.more_events ? `${plural(lanes.more_events, "further event")} below only` : "",
      lanes.more_streams ? `${plural(lanes.more_streams, "further stream")} below only` : "",
      lanes.same_streams ? `${plural(lanes.same_streams, "stream")} without a difference` : "",
    ];
    setText(key, ["≠ changed", "+ only on this branch", "− not on this branch", ...more].filter(Boolean).join(" · "));
  }

  /** The names of the marks that differ: behind the point at which the branches part, so that none lies over it. */
  function paintBandNames(/** @type {number} */ wide, /** @type {number} */ parted) {
    const found = new Map(marks.map((mark) => [mark.id, mark]));
    const nameOf = (/** @type {DrawnMark} */ mark) => {
      const { sign = "", label = "", mark: own = null } = found.get(mark.key) ?? {};
      return own && sign ? `${sign} ${label}` : "";
    };
    const drawn = marks.filter(({ px }) => px >= parted).map(({ id, kind, moment, px, py }) => (
      { key: id, kind, moment, x: px - parted, y: py, among: 0, lane: 0 }
    ));
    const named = labelsBeside(drawn, wide - parted, nameOf, (text) => widthOf(text, LOOKS.lanes.label.size))
      .filter(({ text }) => text).map((label) => ({ ...label, x: label.x + parted, isGap: false }));
    const known = new Set(named.map((label) => label.key));
    // Without room for its name, the sign is at the corner of the mark.
    const alone = marks.filter(({ id, sign }) => sign && !known.has(id)).map(({ id, sign, px, py, mark }) => (
      { key: id, text: sign, x: px + (mark ? 6 : -3), y: py - (mark ? 5 : 0), isLeft: false, isGap: !mark }
    ));
    keyed(names, [...named, ...alone], (label) => label.key, () => draw("text"), (text, label) => {
      const [sign, ...words] = label.text.split(" ");
      setText(text, label.isLeft ? [...words, sign].join(" ") : label.text);
      put(text, "x", label.x.toFixed(1));
      put(text, "y", label.y + 4);
      put(text, "class", label.isGap ? "cl-later" : label.isLeft ? "cl-leftwards" : null);
    });
  }

  function bandMarkNode() {
    const option = draw("g", { role: "option", "aria-selected": "false", class: "cl-mark", on: {
      click: (/** @type {Event} */ press) => choose(option, press),
      keydown: (/** @type {KeyboardEvent} */ press) => {
        if (press.key !== "Enter" && press.key !== " ") return;
        press.preventDefault();
        press.stopPropagation();
        choose(option, press);
      },
    } }, draw("title"), draw("rect", { class: "cl-mark-target", x: -12, y: -12, width: 24, height: 24 }),
      draw("rect", { class: "cl-mark-ring", x: -9, y: -10, width: 18, height: 20, rx: 4 }), draw("path"));
    return option;
  }

  function choose(/** @type {Element} */ option, /** @type {Event} */ press) {
    const found = marks.find(({ id }) => id === option.getAttribute("data-key"));
    if (!found?.mark) return;
    focusOn(found);
    pick(found, press);
  }

  return {
    node,
    close: () => observer.disconnect(),
    update(/** @type {ComparisonView} */ value) {
      shown = value;
      paint();
    },
  };
}

/** @param {LaneMark} mark @param {number} first @param {number} step @returns {BandMark} */
function bandMark(mark, first, step) {
  const id = /** @type {Mark} */ (`${mark.side} ${mark.mark ?? `no ${mark.row} ${mark.x}`}`);
  const py = BAND_AXIS + (2 * mark.row + (mark.side === "a" ? 0.5 : 1.5)) * LANE;
  return { ...mark, id, px: (mark.x - first) * step, py, sign: choiceOf(mark.status, DIFFERENCE_SIGNS) ?? "" };
}

function updateBandMark(/** @type {Element} */ option, /** @type {BandMark} */ mark, /** @type {string} */ focused) {
  put(option, "data-key", mark.id);
  put(option, "aria-label", mark.words);
  put(option, "tabindex", mark.id === focused ? "0" : "-1");
  put(option, "transform", `translate(${mark.px.toFixed(1)} ${mark.py})`);
  setText(option.children[0], mark.words);
  put(option.children[3], "class", `cl-marks ${kindClass(mark.kind)}${mark.sign ? "" : " cl-later"}`);
  put(option.children[3], "d", LOOKS.kinds[mark.kind].shape);
}

/**
 * The mark that a key leads to: along the axis, or to the lane above or below.
 * @param {BandMark[]} marks in order of the axis @param {number} at @param {string} key
 */
function besideBandMark(marks, at, key) {
  const here = marks[at];
  if (!here) return null;
  const real = marks.filter(({ mark }) => mark !== null);
  const index = real.indexOf(here);
  const ends = { Home: real[0], End: real.at(-1), ArrowRight: real[index + 1], ArrowLeft: real[index - 1] };
  if (key !== "ArrowDown" && key !== "ArrowUp") return choiceOf(key, ends) ?? null;
  const way = key === "ArrowDown" ? 1 : -1;
  const far = (/** @type {BandMark} */ { px, py }) => Math.abs(py - here.py) * 1000 + Math.abs(px - here.px);
  const beyond = real.filter(({ py }) => (py - here.py) * way > 0);
  return beyond.sort((one, other) => far(one) - far(other))[0] ?? null;
}

/** The name of a stream, beside the names of the branches of its two lanes. */
function bandLabel(/** @type {LaneRow & { names: string[] }} */ row) {
  return make("div", { class: "cl-band-label", title: row.stream_id }, glyph(row.kind),
    make("span", { class: "cl-stream" }, ...nameParts(row)),
    make("span", { class: "cl-muted" }, ...row.names.map((name) => make("span", { text: name }))));
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
