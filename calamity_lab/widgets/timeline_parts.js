// What the timeline is built of, and how it listens: its bar, its plot, the axis above, the tip.

Object.assign(Timeline.prototype, {
  build() {
    const title = freshId("timeline");
    const small = (options) => button({ kind: "cl-small cl-quiet", title: options.label, ...options });
    this.back = small({ icon: "left", label: "Earlier events", on: () => this.pan(-0.5, this.back) });
    this.on = small({ icon: "right", label: "Later events", on: () => this.pan(0.5, this.on) });
    this.nearer = small({ icon: "add", label: "Zoom in", on: () => this.zoom(1 / ZOOM) });
    this.further = small({ icon: "less", label: "Zoom out", on: () => this.zoom(ZOOM) });
    this.whole = small({ icon: "whole", label: "Show the whole run", on: () => { this.span.showAll(); this.paint(); } });
    this.follow = small({ icon: "follow", label: "Follow the cursor", on: () => this.followCursor() });
    this.sift = small({ icon: "sift", label: "Only lanes in sight", title: "Only lanes in which something is in sight", on: () => this.siftLanes() });
    this.byTime = small({ icon: "clock", label: "By time", title: "By time: idle gaps are folded", on: () => this.choose(this.span.axis === "time" ? "position" : "time") });
    this.where = make("span", { class: "cl-muted cl-where-events" });
    this.legend = make("span", { class: "cl-legend", "aria-hidden": "true" });
    this.buildSelection();
    this.buildPlot();
    this.hint = make("p", { class: "cl-hint", text: "No event has been recorded yet." });
    this.node = make("div", { class: "cl-pane cl-timeline", role: "group", "aria-labelledby": title },
      make("header", { role: "none" }, make("h2", { id: title, text: "Timeline" }), this.legend, this.chosen, make("span", { class: "cl-gap" }), 
        make("span", { class: "cl-lane-tools" }, this.where, this.back, this.on, this.further, this.nearer, this.whole, this.follow, this.sift, this.byTime)),
      this.scroll, this.listed.node, this.hint, this.tip.node);
  },

  buildSelection() {
    this.chosenWords = make("span", { class: "cl-chosen-words" });
    this.zoomToIt = button({ icon: "whole", label: "Zoom to the selection", title: "Zoom to the selection", kind: "cl-small cl-quiet", on: () => { this.span.showEvents(this.selected.first, this.selected.last); this.paint(); } });
    this.clear = button({ icon: "close", label: "Clear the selection", title: "Clear the selection (Escape)", kind: "cl-small cl-quiet", on: () => this.desk.select({}) });
    this.chosen = make("span", { class: "cl-selection", hidden: true }, this.chosenWords, this.zoomToIt, this.clear);
  },

  buildPlot() {
    this.lines = draw("path", { class: "cl-lane-line" });
    this.future = draw("rect", { class: "cl-future" });
    this.band = draw("rect", { class: "cl-band" });
    this.brush = draw("rect", { class: "cl-band cl-brush", display: "none" });
    this.nowLine = draw("g", { class: "cl-now" }, draw("line"));
    this.paths = draw("g");
    this.rings = draw("path", { class: "cl-rings" });
    this.causes = draw("path", { class: "cl-arrow cl-cause" });
    this.effects = draw("path", { class: "cl-arrow cl-effect" });
    this.option = draw("g", { role: "option", tabindex: "0", class: "cl-mark" },
      draw("rect", { class: "cl-mark-target", x: -12, y: -12, width: 24, height: 24 }), draw("rect", { class: "cl-mark-ring", x: -9, y: -10, width: 18, height: 20, rx: 4 }));
    this.list = draw("g", { role: "listbox", "aria-label": "What happened, in order" }, this.option);
    this.svg = draw("svg", { class: "cl-plot" }, this.future, this.band, this.lines, this.nowLine, this.causes, this.effects, this.paths, this.rings, this.list, this.brush);
    this.labels = make("div", { class: "cl-lane-labels" });
    this.body = make("div", { class: "cl-lane-rows" }, this.labels, this.svg);
    this.axis = mountAxis();
    this.scroll = make("div", { class: "cl-scroll cl-lanes", tabindex: "-1" }, this.axis.node, this.body);
    this.tip = mountTip(this.desk);
    this.listed = mountLaneList((mark) => this.desk.select({ place: mark.place, go: true }));
  },

  paintBar() {
    const { span, chart, selected } = this;
    const total = chart.events.length;
    const first = clamp(span.eventAt(span.from), 1, Math.max(total, 1));
    const last = Math.min(span.eventAt(span.to) - 1, total);
    setText(this.where, total ? `${count(first)}–${count(Math.max(last, first))} of ${count(total)}` : "");
    disable(this.back, span.from <= 0);
    disable(this.on, span.to >= span.length);
    disable(this.nearer, span.width <= LEAST_SPAN);
    disable(this.further, span.width >= Math.max(span.length + 1, span.room));
    put(this.follow, "aria-pressed", span.isFollowing ? "true" : "false");
    put(this.sift, "aria-pressed", this.lanes.sifts(chart) ? "true" : "false");
    put(this.byTime, "aria-pressed", span.axis === "time" ? "true" : "false");
    show(this.sift, chart.lanes.length > 6);
    show(this.legend, !selected.kind);
    keyed(this.legend, this.chart.kinds(), (kind) => kind, (kind) => make("span", {}, glyph(kind), make("span", { text: kind })), () => {});
    show(this.chosen, Boolean(selected.kind));
    setText(this.chosenWords, selected.kind === "range" ? `${selected.title}, ${selected.detail}` : selected.title ?? "");
    put(this.chosenWords, "title", selected.detail ?? "");
    show(this.zoomToIt, selected.kind === "range");
  },

  pan(share, node) {
    if (node && isDisabled(node)) return;
    this.span.pan(share);
    this.paint();
  },

  zoom(factor, share) {
    this.span.zoom(factor, share);
    this.paint();
  },

  followCursor() {
    this.span.reset();
    this.span.fit(this.span.room);
    this.shownCursor = null;
    this.paint();
  },

  /** The run begins to play: they go along, as near as they are. */
  plays() {
    this.span.isFollowing = true;
    this.paint();
  },

  /** Along the positions of the events, or along their times. */
  choose(axis) {
    this.span.choose(axis);
    this.span.fit(this.span.room);
    this.paint();
  },

  siftLanes() {
    this.lanes.isSifted = !this.lanes.sifts(this.chart);
    this.paint();
  },

  listen() {
    this.scroll.addEventListener("scroll", () => {
      // Where it was scrolled to what is drawn, to ask how far would only cost a layout.
      if (this.isScrolledHere) this.isScrolledHere = false;
      else {
        this.view.top = this.scroll.scrollTop;
        this.paintRows();
      }
    });
    this.scroll.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.listenToPointer();
    this.option.addEventListener("keydown", (event) => this.key(event));
    this.option.addEventListener("blur", () => { this.active = null; this.tip.hide(); });
    this.listenToAxis();
  },

  wheel(event) {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.shareAt(event));
    else if (Math.abs(sideways) >= 4) this.pan((sideways / this.plot) * 0.7);
    else return;
    event.preventDefault();
  },

  shareAt(event) {
    return clamp((event.clientX - this.svg.getBoundingClientRect().left) / this.plot, 0, 1);
  },

  /** A press picks what is under it; a drag picks all events from one end of it to the other. */
  listenToPointer() {
    let start = null;
    const svg = this.svg;
    const leave = () => { start = null; show(this.brush, false); };
    const at = (event) => { const box = svg.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };
    svg.addEventListener("pointerdown", (event) => { if (event.button === 0) start = at(event); });
    svg.addEventListener("pointermove", (event) => {
      const here = at(event);
      // It may have been let go outside.
      if (start && !(event.buttons & 1)) leave();
      if (!start) return this.point(nearestMark(this.marks, here.x, here.y), here);
      if (Math.abs(here.x - start.x) < 5) return undefined;
      svg.setPointerCapture(event.pointerId);
      put(this.brush, "x", Math.min(start.x, here.x));
      put(this.brush, "width", Math.abs(here.x - start.x));
      put(this.brush, "height", svg.getAttribute("height"));
      return show(this.brush, true);
    });
    svg.addEventListener("pointerleave", () => this.tip.hide());
    const end = (event) => {
      if (!start) return;
      const here = at(event);
      if (this.brush.hasAttribute("display")) this.press(nearestMark(this.marks, here.x, here.y));
      else this.pickBetween(Math.min(start.x, here.x), Math.max(start.x, here.x));
      leave();
    };
    svg.addEventListener("pointerup", end);
    svg.addEventListener("pointercancel", leave);
  },

  press(mark) {
    this.tip.hide();
    if (!mark) {
      if (this.selected.kind) this.desk.select({});
      return;
    }
    this.active = mark.place;
    this.paintActive();
    this.option.focus({ preventScroll: true });
    this.desk.select({ place: mark.place, go: true });
  },

  pickBetween(left, right) {
    const point = (x) => this.span.from + (x * this.span.width) / this.plot;
    const [first, last] = [this.span.eventAt(point(left)), this.span.eventAt(point(right)) - 1];
    if (first <= last && first <= this.chart.events.length) this.desk.select({ place: first, until: Math.min(last, this.chart.events.length) });
  },

  point(mark, { x, y }) {
    if (mark) this.tip.show(mark, this.words(mark), this.labels.offsetWidth + x, AXIS + y + this.rows[0] * LANE - this.scroll.scrollTop, this.node);
    else this.tip.hide();
  },

  key(event) {
    const { mark } = this.option;
    const act = { Enter: () => this.press(mark), " ": () => this.press(mark), "+": () => this.zoom(1 / ZOOM, mark.x / this.plot), "-": () => this.zoom(ZOOM, mark.x / this.plot), Escape: () => { this.tip.hide(); this.desk.select({}); } }[event.key];
    if (!act && !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    if (act) act();
    else this.move(event.key, event.shiftKey);
  },

  /** To the next mark; beyond the edge the lanes move on. With Shift, all events on the way are picked. */
  move(key, picks) {
    const from = this.option.mark;
    const backwards = key === "ArrowLeft" || key === "ArrowUp";
    let found = neighbour(this.marks, from, key);
    while (!found && this.goesOn(key)) {
      const now = this.marks.find(({ place }) => place === from.place);
      found = now ? neighbour(this.marks, now, key) : this.marks.at(backwards ? -1 : 0);
    }
    if (!found) return;
    this.active = found.place;
    this.paintActive();
    this.option.focus({ preventScroll: true });
    this.point(found, found);
    if (picks) this.pickTo(from, found);
    else this.anchor = null;
  },

  /** Moves the lanes on in a direction; whether there was anything further. */
  goesOn(key) {
    const { span, scroll, view } = this;
    const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
    if (key === "ArrowLeft" || key === "ArrowRight") {
      if (sign < 0 ? span.from <= 0 : span.to >= span.length) return false;
      this.pan(sign / 2);
      return true;
    }
    scroll.scrollTop = view.top + sign * Math.max(view.height - LANE, LANE);
    if (scroll.scrollTop === view.top) return false;
    view.top = scroll.scrollTop;
    this.paintRows();
    return true;
  },

  pickTo(from, to) {
    const event = (mark) => clamp(Math.round(this.chart.among(mark.place)), 1, Math.max(this.chart.events.length, 1));
    this.anchor ??= event(from);
    const ends = [this.anchor, event(to)].sort((one, other) => one - other);
    if (this.chart.events.length) this.desk.select({ place: ends[0], until: ends[1] });
  },

  /** The axis is dragged to pan. */
  listenToAxis() {
    let last = null;
    const { node } = this.axis;
    node.addEventListener("pointerdown", (event) => { last = event.clientX; node.setPointerCapture(event.pointerId); });
    node.addEventListener("pointermove", (event) => {
      if (last === null) return;
      this.pan((last - event.clientX) / this.plot);
      last = event.clientX;
    });
    for (const type of ["pointerup", "pointercancel"]) node.addEventListener(type, () => { last = null; });
  },
});

/** The places of the events above the lanes, or their times; in sight however far one scrolls. */
function mountAxis() {
  const ticks = draw("g");
  const folds = draw("path", { class: "cl-folds" });
  const tip = draw("path", { class: "cl-now-tip", d: "M-4.5 0H4.5L0 6z" });
  const svg = draw("svg", { class: "cl-axis", height: AXIS }, ticks, folds, tip);
  return {
    node: make("div", { class: "cl-axis-row", "aria-hidden": "true", title: "Drag to move along the run" }, svg),
    update(timeline, plot) {
      const { span } = timeline;
      const scale = plot / span.width;
      const marks = (span.axis === "time" ? timeTicks : positionTicks)(span, scale).map((tick) => ({ ...tick, x: Math.max((span.at(tick.event) - span.from) * scale, 3.4 * tick.text.length).toFixed(1) }));
      put(svg, "width", plot);
      keyed(ticks, marks, ({ event, text }) => `${event} ${text}`, ({ text }) => draw("text", { y: 13, text }), (node, { x }) => put(node, "x", x));
      put(folds, "d", foldMarks(span, scale));
      const now = timeline.nowAt();
      put(tip, "transform", `translate(${now} ${AXIS - 6})`);
      show(tip, now >= 0 && now <= plot);
    },
  };
}

/** A caret where an idle gap is folded, as far as they can be told apart. */
function foldMarks(span, scale) {
  if (span.axis !== "time") return "";
  let [d, last] = ["", -Infinity];
  for (const event of span.folds) {
    const x = (span.at(event + 0.5) - span.from) * scale;
    if (x < 0 || x > span.width * scale || x - last < 9) continue;
    last = x;
    d += `M${(x - 3).toFixed(1)} 18l3-5 3 5`;
  }
  return d;
}

function positionTicks(span, scale) {
  const [first, last] = [Math.max(span.eventAt(span.from), 1), Math.min(span.eventAt(span.to) - 1, span.chart.events.length)];
  if (first > last) return [];
  const wide = 10 + 7 * count(last).length;
  const every = [1, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5].find((each) => each * scale >= wide) ?? 1e6;
  const ticks = first === 1 && every > 1 ? [1] : [];
  for (let event = Math.ceil(first / every) * every; event <= last; event += every) ticks.push(event);
  return ticks.map((event) => ({ event, text: count(event) }));
}

/** The time of an event every so many pixels; the day, where it is another one than before. */
function timeTicks(span, scale) {
  const { times, length } = span.chart.events;
  const [first, last] = [Math.max(span.eventAt(span.from), 1), Math.min(span.eventAt(span.to) - 1, length)];
  const until = times[last - 1] - times[first - 1] < 20_000 ? 23 : 19;
  const ticks = [];
  let [day, beyond] = ["", -Infinity];
  for (let event = first; event <= last; event = Math.max(event + 1, span.eventAt(beyond))) {
    const at = new Date(times[event - 1]).toISOString();
    const isNew = at.slice(0, 10) !== day;
    day = at.slice(0, 10);
    const text = isNew ? at.slice(0, until).replace("T", " ") : at.slice(11, until);
    ticks.push({ event, text });
    const half = 3.4 * text.length;
    beyond = Math.max(span.at(event), span.from + half / scale) + (2 * half + 24) / scale;
  }
  return ticks;
}

/** What is under the pointer: its name at once, and all of it when Python has told. */
function mountTip(desk) {
  const node = make("div", { class: "cl-tip", hidden: true, "aria-hidden": "true" });
  let [place, resting] = [null, 0];
  return {
    node,
    show(mark, words, x, y, pane) {
      if (place === mark.place && !node.hidden) return;
      place = mark.place;
      setText(node, words);
      node.hidden = false;
      node.style.left = `${clamp(x + 12, 4, Math.max(4, pane.clientWidth - 260))}px`;
      node.style.top = `${y + 52}px`;
      clearTimeout(resting);
      resting = setTimeout(() => desk.look("pointed", { place }), 120);
    },
    hide() {
      clearTimeout(resting);
      node.hidden = true;
      place = null;
    },
    tell(pointed) {
      if (!node.hidden && pointed.place === place && pointed.sentence) setText(node, pointed.sentence);
    },
  };
}
