// The head: the moves, Play, the scrubber over the moments, and the branches below it.

import { mountBranches } from "./branches.js";
import { button, disable, isDisabled, textEntry } from "./buttons.js";
import { clamp, count, draw, make, optionNodes, put, setText, show } from "./elements.js";
import { canMove, isViewing, MOVES } from "./lab_handle.js";
import { focusedIn } from "./lists.js";
import { icon } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { ControlsView } from "#views"
 */

// How many of the moves lead back; and in pixels, how far apart two lines must be to be seen as two.
const MOVES_BACK = 3;
const WAIT = "wait";
const TICK_GAP = 4;

/** @param {HTMLElement} root @param {LabHandle} lab @param {() => void} openHelp */
export function mountControls(root, lab, openHelp) {
  const moves = MOVES.map((move) => mountMove(lab, move));
  const branches = lab.add(mountBranches(lab));
  const scrubber = mountScrubber(lab, branches);
  const play = lab.add(mountPlay(lab));
  // Nothing may move under the slider's thumb while a person holds it.
  scrubber.slider.addEventListener("pointerdown", play.pause);
  const help = button({ text: "?", label: "Keys", title: "Keys (?)", kind: "cl-quiet cl-help-button", on: openHelp });
  // A place that the composite may fill; alone, the controls have nothing to search.
  const search = make("div", { class: "cl-head-search" });
  const waits = mountWaits(lab, moves.filter(({ verb }) => verb === WAIT).map(({ node }) => node));
  const forward = moves.slice(MOVES_BACK).filter(({ verb }) => verb !== WAIT);
  const row = make("div", { class: "cl-moves" },
    make("div", { class: "cl-steps", role: "group", "aria-label": "Steps" },
      make("span", { class: "cl-joined" }, ...moves.slice(0, MOVES_BACK).map(({ node }) => node)),
      make("span", { class: "cl-joined" }, ...forward.map(({ node }) => node)), waits.split),
    make("span", { class: "cl-gap" }), search, help);
  const head = make("div", { class: "cl-head" }, row, waits.entry,
    make("div", { class: "cl-scrubber-row" }, play.split, scrubber.node, scrubber.where), branches.node);
  root.append(head);
  return {
    parts: ["controls"],
    row,
    search,
    play: play.toggle,
    underWay() {
      for (const move of moves) move.draw();
    },
    focusGo: scrubber.focusGo,
    close: scrubber.close,
    update(/** @type {ControlsView} */ value, /** @type {Partial<ControlsView>} */ patch) {
      for (const move of moves) move.draw();
      scrubber.update(value, patch);
    },
  };
}

/**
 * The button of a move. While its move is under way it pauses it, and the other moves can do nothing.
 * @param {LabHandle} lab @param {[string, string, string, string, string | null]} move
 */
function mountMove(lab, [verb, name, text, title, key]) {
  const node = button({ icon: name, text, kind: verb === "step_over" ? "cl-primary" : "", on: press });
  let drawn = "";
  function press() {
    if (lab.underWay === verb) lab.pause();
    else if (!isDisabled(node)) lab.send(verb);
  }
  function draw() {
    const pauses = lab.underWay === verb;
    disable(node, !pauses && !canMove(lab)(verb));
    const face = pauses ? "pause" : name;
    const does = pauses ? `Pause: ${text} stops where it is` : verb === WAIT ? waitTitle(lab, title) : title;
    if (drawn === `${face} ${does}`) return;
    drawn = `${face} ${does}`;
    const keys = pauses ? "p" : key;
    node.children[0].replaceWith(icon(face));
    setText(node.children[1], pauses ? "Pause" : text);
    put(node, "title", keys ? `${does} (${keys})` : does);
    put(node, "aria-keyshortcuts", keys);
  }
  return { verb, node, draw };
}

/** Which deadline Wait waits for, or why it can do nothing. */
function waitTitle(/** @type {LabHandle} */ lab, /** @type {string} */ usual) {
  const { wait = "", no_wait: reason = "" } = lab.values.controls ?? {};
  return wait || (reason ? `${usual}. ${reason}` : usual);
}

/** The ways to wait, behind the arrow beside Wait: each a text and what is asked for. @type {[string, any][]} */
const WAITS = [
  ["1 min", { seconds: 60 }],
  ["1 h", { seconds: 3600 }],
  ["1 day", { seconds: 86400 }],
  ["until…", null],
  ["Resume through deadlines", { through: true }],
];

/** Wait and, beside it, other lengths of time. @param {LabHandle} lab @param {HTMLElement[]} wait */
function mountWaits(lab, wait) {
  const entry = textEntry("Wait until, as in 2026-03-01 09:00", (to) => lab.send(WAIT, { to }));
  const choose = make("select", { class: "cl-input cl-select cl-speed", "aria-label": "Wait for",
    title: "Let a given time pass, or go on through all deadlines" },
    ...optionNodes([["", "Wait for…"], ...WAITS.map(([text], index) => [String(index), text])]));
  choose.addEventListener("change", () => {
    const asked = WAITS[Number(choose.value)];
    choose.value = "";
    if (asked[1] === null) entry.open();
    else lab.send(WAIT, asked[1]);
  });
  const split = make("span", { class: "cl-joined cl-split" }, ...wait,
    make("span", { class: "cl-button cl-speed-button" }, choose, icon("down")));
  show(split, !lab.isRecorded);
  return { split, entry: entry.node };
}

/** @param {LabHandle} lab @param {ReturnType<typeof mountBranches>} branches */
function mountScrubber(lab, branches) {
  const slider = make("input", { type: "range", class: "cl-slider", "aria-label": "Moment", min: "0", step: "1" });
  const ticks = draw("path", { class: "cl-ticks" });
  const done = make("span", { class: "cl-track-done" });
  const rejections = draw("path", { class: "cl-rejections" });
  const rail = make("div", { class: "cl-rail", "aria-hidden": "true" }, make("span", { class: "cl-track" }, done),
    draw("svg", { class: "cl-tick-marks" }, ticks, rejections));
  const field = make("input", { class: "cl-input cl-number", inputmode: "numeric", "aria-label": "Go to", size: "5" });
  const total = make("span");
  const command = make("span", { class: "cl-muted cl-command-count" });
  const where = make("span", { class: "cl-where" }, make("span", { class: "cl-label", text: "step" }), field, total,
    command);
  slider.addEventListener("input", () => {
    paint(done, slider.valueAsNumber, Number(slider.max));
    lab.goto(slider.valueAsNumber);
  });
  slider.addEventListener("change", () => lab.rested());
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && askFor(field, lab)) lab.root.focus({ preventScroll: true });
    if (event.key === "Escape") {
      field.value = String(lab.values.controls?.cursor ?? "");
      slider.focus();
    }
  });
  field.addEventListener("blur", () => {
    field.value = String(lab.values.controls?.cursor ?? "");
  });
  let width = 0;
  const observer = new ResizeObserver(() => {
    width = rail.clientWidth;
    if (lab.values.controls) paintMoments(ticks, rejections, lab.values.controls, width);
    layBranches();
  });
  observer.observe(rail);
  // The branches have no width of their own while there is one only.
  observer.observe(branches.node);
  function layBranches() {
    branches.lie(rail.getBoundingClientRect().left - branches.node.getBoundingClientRect().left, width);
  }
  return {
    slider,
    where,
    close: () => observer.disconnect(),
    node: make("div", { class: "cl-scrubber" }, rail, slider),
    focusGo() {
      field.focus();
      field.select();
    },
    update(/** @type {ControlsView} */ value, /** @type {Partial<ControlsView>} */ patch) {
      put(slider, "max", value.last);
      put(slider, "disabled", value.last === 0);
      // While it is dragged, the slider is ahead of what Python has answered.
      if (!lab.asks("goto")) {
        slider.value = String(value.cursor);
        paint(done, value.cursor, value.last);
      }
      put(slider, "aria-valuetext", `${count(value.cursor)} of ${count(value.last)}`);
      if (focusedIn(field) !== field) field.value = String(value.cursor);
      setText(total, `of ${count(value.last)}`);
      setText(command, value.commands ? `command ${count(value.command_number)} of ${count(value.commands)}` : "");
      if ("ticks" in patch || "rejections" in patch || "last" in patch) paintMoments(ticks, rejections, value, width);
    },
  };
}

function askFor(/** @type {HTMLInputElement} */ field, /** @type {LabHandle} */ lab) {
  const moment = Number(field.value.replaceAll(",", "").trim() || NaN);
  if (Number.isInteger(moment)) lab.goto(moment);
  else field.select();
  return Number.isInteger(moment);
}

function paint(/** @type {HTMLElement} */ done, /** @type {number} */ cursor, /** @type {number} */ last) {
  done.style.width = `${last ? (100 * cursor) / last : 0}%`;
}

/**
 * A line for each command and a cross for each rejection, as one path each: there may be hundreds. Where the
 * lines would touch each other, a bar shows how many commands there are in each part of the run.
 * @param {Element} ticks @param {Element} rejections @param {ControlsView} value @param {number} width
 */
function paintMoments(ticks, rejections, value, width) {
  const at = (/** @type {number} */ moment) => Math.round((2 * width * moment) / Math.max(value.last, 1)) / 2;
  const isDense = value.ticks.length * TICK_GAP > width;
  ticks.classList.toggle("cl-dense", isDense);
  const lines = isDense
    ? densityOf(value.ticks, value.last, Math.floor(width / TICK_GAP)).map((part, place) =>
      part ? `M${place * TICK_GAP + TICK_GAP / 2} 28v${-2 - Math.round(7 * part)}` : ""
    )
    : value.ticks.map((moment) => `M${at(moment)} 8v12`);
  put(ticks, "d", lines.join(""));
  const isCrowded = 2 * value.rejections.length * TICK_GAP > width;
  const crosses = value.rejections.map((moment) =>
    isCrowded ? `M${at(moment)} 1v5` : `M${at(moment) - 3} 0l6 6m-6 0l6-6`
  );
  put(rejections, "d", crosses.join(""));
}

/**
 * How many of the moments are in each of so many equal parts of the run, as shares of the most in one part.
 * @param {number[]} moments @param {number} last @param {number} parts
 */
export function densityOf(moments, last, parts) {
  const counts = new Array(Math.max(parts, 1)).fill(0);
  for (const moment of moments) counts[Math.min(Math.floor((moment * parts) / (last + 1)), counts.length - 1)] += 1;
  const most = Math.max(...counts, 1);
  return counts.map((number) => number / most);
}

// Play: goes on by itself. One move is asked for at a time, and the next when the answer is drawn: nothing is
// queued, so that a pause holds at once. What became due in the meantime is asked for together.

const PACES = [
  { name: "1", text: "1 command/s", by: "step_over", perSecond: 1 },
  { name: "3", text: "3 commands/s", by: "step_over", perSecond: 3 },
  { name: "10", text: "10 commands/s", by: "step_over", perSecond: 10 },
  { name: "30", text: "30 commands/s", by: "step_over", perSecond: 30 },
  { name: "moments", text: "5 steps/s", by: "step_in", perSecond: 5 },
];
const USUAL = "3";
// Between an answer and the next move the page is painted, and hears what is pressed.
const BREATH = 16;

function mountPlay(/** @type {LabHandle} */ lab) {
  const node = button({ icon: "play", text: "Play", kind: "cl-play", on: toggle });
  const speed = make("select", { class: "cl-input cl-select cl-speed", "aria-label": "Speed",
    title: "How fast Play goes" },
    ...PACES.map(({ name, text }) => make("option", { value: name, text, selected: name === USUAL })));
  put(node, "aria-keyshortcuts", "p");
  const pace = () => PACES.find(({ name }) => name === speed.value) ?? PACES[0];
  const controls = () => /** @type {ControlsView} */ (lab.values.controls);
  let playing = false;
  // The verb that Play has asked for and that is not answered, and what is to be said once it is.
  /** @type {string | null} */
  let open = null;
  /** @type {string | null} */
  let waiting = null;
  let timer = 0;
  let due = 0;
  // Where the last answer left the cursor, and the fact there, without what Play put before it.
  let at = 0;
  let fact = "";
  let announcing = false;

  function toggle() {
    if (lab.underWay) lab.pause();
    else if (playing) pause();
    else if (!isDisabled(node)) start();
  }
  function start() {
    playing = true;
    waiting = null;
    due = performance.now();
    at = controls().cursor;
    draw();
    for (const view of lab.views) view.plays?.();
    ask(controls().at_end ? "restart" : "play");
  }
  function pause() {
    if (!playing) return;
    stop();
    // While an answer is on its way, the fact is not known yet.
    if (open) waiting = "Paused";
    else announce("Paused");
  }
  function stop() {
    playing = false;
    clearTimeout(timer);
    draw();
  }
  function ask(/** @type {string} */ verb) {
    open = verb;
    lab.send(verb, verb === "play" ? { by: pace().by, times: becomeDue() } : {});
  }
  /**
   * How many moves are due. After a long wait, only a tenth of a second is made up for, so that the answer after a
   * pause is short too.
   */
  function becomeDue() {
    const { perSecond } = pace();
    const now = performance.now();
    const times = clamp(1 + Math.floor(((now - due) * perSecond) / 1000), 1, Math.ceil(perSecond / 10));
    due = Math.max(due + (1000 * times) / perSecond, now);
    return times;
  }
  function wait() {
    clearTimeout(timer);
    timer = window.setTimeout(() => ask("play"), Math.max(BREATH, due - performance.now()));
  }
  function announce(/** @type {string} */ why) {
    waiting = null;
    announcing = true;
    lab.apply({ controls: { sentence: `${why}. ${fact}`, tone: controls().tone } });
    announcing = false;
  }
  function draw() {
    node.children[0].replaceWith(icon(playing ? "pause" : "play"));
    setText(node.children[1], playing ? "Pause" : "Play");
    // Sentences that pass by are not read out; the last one is.
    const foot = lab.root.querySelector(".cl-foot");
    if (foot) put(foot, "aria-busy", playing ? "true" : null);
    hint();
  }
  function drawAble(/** @type {ControlsView} */ { at_end: atEnd, last }) {
    disable(node, lab.underWay !== "" || (atEnd && last === 0));
  }
  function hint() {
    const does = playing
      ? "Stop here"
      : lab.values.controls?.at_end
      ? "Play again from the start"
      : `Run command after command: ${pace().text}`;
    put(node, "title", `${does} (p)`);
  }
  function answer(/** @type {string} */ verb) {
    const { cursor, at_end: atEnd, tone, is_stopped: isStopped } = controls();
    at = cursor;
    if (isStopped) {
      stop();
      return;
    }
    if (tone === "error" || atEnd) {
      stop();
      announce(tone === "error" ? "Play stopped" : "Played to the end");
      return;
    }
    if (verb === "restart") due = performance.now() + 1000 / pace().perSecond;
    wait();
  }
  speed.addEventListener("change", () => {
    hint();
    due = Math.min(due, performance.now() + 1000 / pace().perSecond);
    if (playing && !open) wait();
  });
  return {
    parts: ["controls"],
    node,
    split: make("span", { class: "cl-joined cl-split" }, node,
      make("span", { class: "cl-button cl-speed-button" }, speed, icon("down"))),
    toggle,
    pause,
    close: stop,
    update(/** @type {ControlsView} */ value, /** @type {Partial<ControlsView>} */ patch) {
      if (!announcing && patch.sentence !== undefined) fact = patch.sentence;
      drawAble(value);
      hint();
    },
    underWay: () => drawAble(controls()),
    /** Nothing was heard of Python for long. */
    waits(/** @type {string | null} */ _text, /** @type {boolean} */ isSilent) {
      if (!playing || !isSilent) return;
      stop();
      waiting = "Play stopped";
    },
    /** Any other request ends Play, but not the options of a view or a selection, unless the cursor moves. */
    asked(/** @type {string} */ name) {
      if (playing && name !== open && !isViewing(name)) stop();
    },
    answered(/** @type {string | undefined} */ name) {
      const own = open !== null && name === open;
      if (own) open = null;
      if (playing && own && name) answer(name);
      else if (playing && controls().cursor !== at) stop();
      else if (own && waiting) announce(waiting);
    },
  };
}
