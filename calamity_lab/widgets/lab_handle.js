// What goes to Python and comes back. One message each way a step; what is newer replaces what still waits.

import { isPacked, unpackedChart } from "./chart.js";
import { choiceOf, count, make, put, setText, show } from "./elements.js";
import { focusedIn } from "./lists.js";
import { icon, ICONS } from "./signs.js";

/**
 * @import { Selected, Values } from "#views"
 * @import { Model, Picked, View } from "./types.js"
 */

// In milliseconds: after so long it is shown that Python takes its time, then what waits for it, then what may be wrong.
const SLOW = 300;
const WAITING = 1000;
const SILENT = 8000;
// Between two answers to a drag: each has all views drawn anew, and in between the lanes keep up with the hand.
const REST = 200;
const SPEAKS = "calamity-lab-speaks";
const GOTO = "goto ";
// How long nothing moves before Python draws the picture that is saved with the notebook.
const STILL = 1000;
// What is done with breakpoints and watches moves nothing.
const OF_STOPS = ["break_on", "watch_field", "switch_stop", "remove_stop"];
// Exploring moves nothing, either; after each of the first ones Python looks at a part of the states, as long as it is asked.
const EXPLORES = ["explore", "explore_on", "explore_further"];
const OF_EXPLORING = [...EXPLORES, "explore_stop", "offer"];
// Moves that may take long: Python makes them in parts.
const LONG = ["step_over", "step_out", "resume"];

/** Each move's verb, icon, name, tooltip and key. @type {[string, string, string, string, string | null][]} */
export const MOVES = [
  ["restart", "restart", "Rewind", "Go back to the start; nothing is lost", "Home"],
  ["step_back_over", "backOver", "Back over", "Go back one whole command", ","],
  ["step_back", "back", "Step back", "Go back one step", "["],
  ["step_in", "in", "Step in", "Run the smallest possible step", "]"],
  ["step_over", "over", "Step over", "Run one whole command", "."],
  ["step_out", "out", "Step out", "Run the command and all that it causes", null],
  ["resume", "resume", "Resume", "Run until the agenda is empty", ">"],
  ["wait", "clock", "Wait", "Let time pass to the next deadline", "w"],
];

/** What is selected where nothing is. @type {Selected} */
export const NOTHING_SELECTED = { kind: "", title: "", detail: "", moment: null, first: 0, last: 0, mark: null,
  position: null, until: null, command: "", streams: [], arrows: [], type: "" };

export class LabHandle {
  constructor(/** @type {Model} */ model, /** @type {HTMLElement} */ root) {
    this.model = model;
    this.root = root;
    // A page with a recorded run has nobody who could act.
    this.isRecorded = model.get("recorded") === true;
    /** @type {Values & Record<string, any>} */
    this.values = {};
    /** @type {View[]} */
    this.views = [];
    /** What was asked for and is not answered. @type {Map<number, { name: string, message: any, started: boolean }>} */
    this.open = new Map();
    /** @type {Map<string, any>} */
    this.waiting = new Map();
    /** @type {Map<string, number>} */
    this.resting = new Map();
    /** @type {number | null} */
    this.ahead = null;
    /** @type {Promise<void> | null} */
    this.unpacking = null;
    /** @type {number[]} */
    this.timers = [];
    // Whether the foot says that Python is waited for, and for long.
    this.isWaiting = this.isSilent = false;
    // The last thing asked for that may move the cursor, and the move that Python makes in parts, if one is under way.
    this.latest = 0;
    this.underWay = "";
    this.behind = 0;
    this.still = 0;
    /** Hears that something is opened, by which press. @type {((press: Event) => void) | null} */
    this.opened = null;
    // Several views may share a model: each counts from a number of its own.
    this.seq = Math.floor(Math.random() * 2 ** 30) * 2 ** 20;
    this.hear = this.hear.bind(this);
    this.nudge = this.nudge.bind(this);
    this.renew = this.renew.bind(this);
    // Jupyter takes functions by their names, marimo one function, which it calls.
    this.callbacks = Object.assign(() => {}, { iopub: { status: this.nudge } });
    model.on("msg:custom", this.hear);
    model.on("change:first", this.renew);
  }

  /** Shows what came with the widget, and asks for what is new since. */
  begin() {
    this.renew();
    this.send("ready", { has: this.model.get("first")?.seq });
  }

  /** Takes all that Python shows: it comes with the widget, and anew where nobody could ask for it. */
  renew() {
    const { patch, buffers } = this.model.get("first") ?? {};
    if (patch) this.queue({ patch: { ...patch } }, buffers);
  }

  /**
   * Adds a view: an object with `parts`, the names of the values that it draws, and `update`. It may have
   * `asked` and `answered`, which hear the name of each thing asked for; what came unasked has none; and
   * `plays`, which hears that the run begins to play.
   * @template {View} V @param {V} view @returns {V}
   */
  add(view) {
    this.views.push(view);
    return view;
  }

  /**
   * Adds a view that is updated before the others: what they are drawn into.
   * @template {View} V @param {V} view @returns {V}
   */
  addFirst(view) {
    this.views.unshift(view);
    return view;
  }

  /** Asks for something that must happen, in order. */
  send(/** @type {string} */ verb, /** @type {Record<string, any>} */ details = {}) {
    for (const name of [...this.waiting.keys()]) this.flush(name);
    this.post(verb, { verb, ...details });
  }

  /** Asks for something of which only the newest counts, such as a drag of the scrubber. */
  newest(/** @type {string} */ verb, /** @type {Record<string, any>} */ details) {
    const name = `${verb} ${details.view ?? ""}`;
    if (!this.isOpen(name) && !this.resting.has(name)) return this.post(name, { verb, ...details });
    this.waiting.set(name, { ...this.waiting.get(name), verb, ...details });
    this.expect();
  }

  isOpen(/** @type {string} */ name) {
    return [...this.open.values()].some((asked) => asked.name === name);
  }

  /** Goes to a moment; views that know the whole run are there before Python answers. */
  goto(/** @type {number} */ moment) {
    if (!this.values.fact?.is_fixed) this.ahead = moment;
    for (const view of this.views) view.goesAhead?.();
    this.newest("goto", { moment });
    if (!this.resting.has(GOTO)) this.resting.set(GOTO, window.setTimeout(() => this.rested(), REST));
  }

  /** Asks for the moment that was gone to last, without waiting for more: the hand has let go. */
  rested() {
    clearTimeout(this.resting.get(GOTO));
    this.resting.delete(GOTO);
    if (!this.isOpen(GOTO)) this.flush(GOTO);
  }

  /**
   * Picks something out for all views to show: a mark in the lanes, a position, a stream, a pending command; {} for
   * nothing. With the event of a press it is shown whole, too.
   * @param {Picked} picked @param {Event} [press]
   */
  select(picked, press) {
    if (press) this.opened?.(press);
    this.send("select", press ? { ...picked, details: true } : picked);
  }

  /** Sets options of a view, as its query or its tab: what the view shows of the run. */
  setOptions(/** @type {string} */ view, /** @type {Record<string, any>} */ options) {
    this.newest("set_options", { view, ...options });
  }

  /** Whether something of this kind was asked and not answered yet. */
  asks(/** @type {string} */ name) {
    const open = [...this.open.values()].map((asked) => asked.name);
    return [...open, ...this.waiting.keys()].some((asked) => asked.startsWith(name));
  }

  post(/** @type {string} */ name, /** @type {Record<string, any>} */ message) {
    this.seq += 1;
    this.open.set(this.seq, { name, message, started: false });
    if (!isViewing(name)) {
      this.latest = this.seq;
      if (name !== "go_on") this.nowUnderWay("");
    }
    for (const view of this.views) view.asked?.(name);
    this.expect();
    this.model.send({ ...message, seq: this.seq }, this.callbacks);
  }

  /**
   * A word back as soon as Python is heard to be at work. Jupyter's server holds the answer until what came
   * before it is acknowledged, and without this the browser takes its time for that: 40 ms a step.
   */
  nudge(/** @type {any} */ message) {
    if (message?.content?.execution_state !== "busy") return;
    this.model.send({ verb: "nudge" });
    const next = [...this.open].find(([, { started }]) => !started);
    if (!next) return;
    const [seq, asked] = next;
    asked.started = true;
    // Python is at work on it, and not on something else: it can be paused.
    if (!LONG.includes(asked.name)) return;
    setTimeout(() => {
      if (this.latest === seq && this.open.has(seq)) this.nowUnderWay(asked.name);
    }, SLOW);
  }

  /** A move takes long: it goes on when the next part of it is asked for, unless something else was asked for since. */
  goOn(/** @type {string} */ name) {
    this.nowUnderWay(name);
    this.post("go_on", { verb: "go_on" });
  }

  nowUnderWay(/** @type {string} */ verb) {
    if (this.underWay === verb) return;
    this.underWay = verb;
    for (const view of this.views) view.underWay?.(verb);
  }

  /** Stops what is under way where it is. */
  pause() {
    this.send("pause");
  }

  flush(/** @type {string} */ name) {
    const message = this.waiting.get(name);
    if (!message) return;
    this.waiting.delete(name);
    this.post(name, message);
  }

  hear(/** @type {any} */ message, /** @type {any} */ buffers) {
    if (!message?.patch) return;
    if (message.answers === undefined || message.answers === null) this.model.send({ verb: "seen" });
    this.queue(message, buffers);
  }

  queue(/** @type {any} */ message, /** @type {any} */ buffers) {
    // What comes behind something that is still being unpacked waits for it.
    if (!this.unpacking && !isPacked(message.patch.chart)) this.take(message);
    else {
      this.behind += 1;
      this.unpacking = this.unpack(this.unpacking, message, buffers);
    }
  }

  async unpack(/** @type {Promise<void> | null} */ before, /** @type {any} */ message, /** @type {any} */ buffers) {
    await before;
    try {
      if (isPacked(message.patch.chart)) message.patch.chart = await unpackedChart(message.patch.chart, buffers);
    } catch (error) {
      delete message.patch.chart;
      const fact = { sentence: `The lanes could not be read: ${error}`, tone: "error" };
      for (const part of ["controls", "fact"]) if (message.patch[part]) Object.assign(message.patch[part], fact);
    }
    this.take(message);
    this.behind -= 1;
    if (this.behind === 0) this.unpacking = null;
  }

  take(/** @type {any} */ message) {
    const name = this.open.get(message.answers)?.name;
    this.open.delete(message.answers);
    const isLatest = message.answers === this.latest && name !== undefined;
    if (isLatest && !message.more) this.nowUnderWay("");
    this.apply(message.patch);
    if (!this.isRecorded) this.drawStillLater();
    for (const view of this.views) view.answered?.(name);
    if (name !== undefined && !this.resting.has(name)) this.flush(name);
    if (isLatest && message.more) this.goOn(name === "go_on" ? this.underWay : name);
    const explores = message.explores && ["ready", ...EXPLORES].includes(name ?? "");
    if (explores) this.post("explore_on", { verb: "explore_on" });
    if (name !== undefined) this.heard();
  }

  drawStillLater() {
    clearTimeout(this.still);
    this.still = window.setTimeout(() => this.model.send({ verb: "rests" }), STILL);
  }

  apply(/** @type {Record<string, any>} */ message) {
    /** @type {Record<string, any>} */
    const patch = {};
    for (const [part, changed] of Object.entries(message)) {
      const whole = withRows(this.values[part], changed);
      // A view that has just come in knows nothing yet of what others were sent; its own answer is on the way.
      if (!whole) continue;
      patch[part] = whole;
      Object.assign(this.values[part] ??= {}, whole);
    }
    if (!this.asks("goto")) this.ahead = null;
    const focused = focusedIn(this.root);
    const wasHere = focused && this.root.contains(focused);
    for (const view of this.views) {
      for (const part of view.parts) {
        if (patch[part]) view.update(this.values[part], patch[part], part);
      }
    }
    // What had the focus may be gone; the keys still belong here, and not to the notebook.
    if (wasHere && !this.root.contains(focusedIn(this.root))) this.root.focus({ preventScroll: true });
  }

  /**
   * Does what has to measure the page, once everything is drawn, and in a drag once a frame: each time costs a layout.
   */
  later(/** @type {() => void} */ measure) {
    const soon = this.resting.has(GOTO) ? requestAnimationFrame : setTimeout;
    soon(() => {
      if (this.root.isConnected) measure();
    });
  }

  /** Shows that Python takes its time, then what waits for it, and then what to do if it does not answer at all. */
  expect() {
    put(this.root, "data-asked", this.open.size || this.waiting.size ? "" : null);
    if (this.isWaiting) this.showWaiting();
    if (!this.open.size || this.timers.length) return;
    this.timers = [
      window.setTimeout(() => put(this.root, "aria-busy", "true"), SLOW),
      window.setTimeout(() => this.showWaiting(), WAITING),
      window.setTimeout(() => {
        this.isSilent = true;
        this.showWaiting();
      }, SILENT),
    ];
  }

  /** Python has answered: what still waits is waited for anew. */
  heard() {
    this.rest();
    this.isWaiting = this.isSilent = false;
    put(this.root, "aria-busy", null);
    for (const view of this.views) view.waits?.(null, false);
    this.expect();
  }

  showWaiting() {
    this.isWaiting = true;
    const asked = [...[...this.open.values()].map(({ message }) => message), ...this.waiting.values()];
    for (const view of this.views) view.waits?.(waitingSentence(asked, this.isSilent), this.isSilent);
  }

  rest() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = [];
  }

  close() {
    this.rest();
    clearTimeout(this.resting.get(GOTO));
    clearTimeout(this.still);
    this.model.off("msg:custom", this.hear);
    this.model.off("change:first", this.renew);
  }
}

/** Whether a request changes what is shown of the run, and never the moment that is shown. */
export function isViewing(/** @type {string} */ name) {
  return name.startsWith("set_options") || ["select", "ready", ...OF_STOPS, ...OF_EXPLORING].includes(name);
}

/**
 * What a move needs: something before the cursor, or something after it, and no other move under way.
 * @param {{ values: Values, underWay: string, isRecorded?: boolean }} lab
 */
export function canMove({ values, underWay, isRecorded = false }) {
  const where = values.controls ?? values.fact;
  /** @param {string} verb */
  return (verb) => {
    if (!where || underWay || values.fact?.is_fixed) return false;
    if (["step_back", "step_back_over", "restart", "reverse"].includes(verb)) return where.cursor > 0;
    if (verb === "end") return where.cursor < where.last;
    if (verb === "wait") return !isRecorded && Boolean(values.controls?.wait);
    return values.controls?.at_end !== true;
  };
}

/** The changes, with the rows that came as their former index; null where a row is not known. */
export function withRows(/** @type {any} */ before, /** @type {Record<string, any>} */ changed) {
  const whole = { ...changed };
  for (const [name, value] of Object.entries(changed)) {
    if (!value?.rows) continue;
    whole[name] = value.rows.map((/** @type {any} */ row) => (typeof row === "number" ? before?.[name]?.[row] : row));
    if (whole[name].includes(undefined)) return null;
  }
  return whole;
}

/** What a person reads of each request; of others nobody is shown that they wait. @type {Record<string, (message: any) => string>} */
const REQUESTS = {
  ...Object.fromEntries(MOVES.map(([verb, , name]) => [verb, () => name])),
  end: () => "Go to the last step",
  goto: ({ moment }) => `Go to step ${count(moment)}`,
  choose: () => "Run this next",
  drop: () => "Take this command off the agenda",
  abandon: () => "Take this command back",
  switch: ({ branch }) => `Go to ${branch}`,
  rename: ({ branch }) => `Rename ${branch}`,
  remove: ({ branch }) => `Remove ${branch}`,
  leave_out: ({ label }) => label,
  move: ({ label }) => label,
  change: ({ label }) => label,
  insert: ({ label }) => label,
  play: () => "Play",
  reverse: () => "Back to the last stop",
  pause: () => "Pause",
  note: () => "Keep the note",
  send: ({ command }) => `Send ${command}`,
  select: () => "Select",
  explore: () => "Explore",
  explore_on: () => "Explore",
  explore_further: () => "Go on exploring",
  explore_stop: () => "Stop exploring",
};

/**
 * What waits for Python, as a sentence. @param {{ verb: string, label?: string }[]} asked @param {boolean} isSilent for long
 */
export function waitingSentence(asked, isSilent) {
  /** @type {[string, number][]} */
  const named = [];
  for (const name of asked.map((message) => choiceOf(message.verb, REQUESTS)?.(message) ?? message.label)) {
    const last = named[named.length - 1];
    if (name && last?.[0] === name) last[1] += 1;
    else if (name) named.push([name, 1]);
  }
  const names = named.map(([name, times]) => (times > 1 ? `${name} (${count(times)} times)` : name));
  const waits = names.length ? `Waiting for Python: ${names.join(", ")}. ` : "";
  if (isSilent) return `${waits}Python is busy, or the kernel was stopped. If it was stopped, run the cell again.`;
  return waits ? waits.trim().slice(0, -1) : "Python is busy. What you press waits until Python is free.";
}

/** The foot of every widget: the last fact, as a sentence that is also spoken. */
export function mountFoot(/** @type {HTMLElement} */ root, /** @type {string[]} */ parts) {
  const mark = make("span", { class: "cl-foot-mark" });
  const sentence = make("span", { class: "cl-foot-text" });
  const fixed = make("span", { class: "cl-foot-fixed", hidden: true });
  const foot = make("div", { class: "cl-foot", role: "status" }, mark, sentence, fixed);
  root.append(foot);
  // Several widgets may show one lab: only the one in use speaks, so that each fact is heard once. They notify each
  // other through the document, since a host may put each into its own shadow root.
  const hush = (/** @type {Event} */ event) =>
    put(foot, "aria-live", event instanceof CustomEvent && event.detail === foot ? "polite" : "off");
  document.addEventListener(SPEAKS, hush);
  root.addEventListener("focusin", () => document.dispatchEvent(new CustomEvent(SPEAKS, { detail: foot })));
  let fact = { sentence: "", tone: "plain" };
  /** What Python has not answered yet; it stands before the fact. @type {{ sentence: string, tone: string } | null} */
  let waiting = null;
  function draw() {
    const { sentence: text, tone } = waiting ?? fact;
    setText(sentence, text);
    put(sentence, "title", text);
    if (foot.dataset.tone === tone) return;
    foot.dataset.tone = tone;
    mark.replaceChildren(icon(tone in ICONS ? tone : "plain"));
  }
  return {
    parts,
    close: () => document.removeEventListener(SPEAKS, hush),
    /** @param {{ sentence: string, tone: string, is_fixed?: boolean, cursor: number, last: number }} value */
    update(value) {
      fact = value;
      show(fixed, value.is_fixed ?? false);
      if (value.is_fixed) setText(fixed, `stays at step ${count(value.cursor)} of ${count(value.last)}`);
      draw();
    },
    /** Sentences that pass by are not read out; the last one is. */
    underWay: (/** @type {string} */ verb) => put(foot, "aria-busy", verb ? "true" : null),
    waits(/** @type {string | null} */ text) {
      waiting = text === null ? null : { sentence: text, tone: "clock" };
      draw();
    },
  };
}
