// The timeline: a lane for each stream, a mark for each thing that happened to it, the future greyed.

const LANE = 24;
const AXIS = 20;
const MARK_STEP = 24;

function mountTimeline(root, desk) {
  const title = freshId("timeline");
  const back = button({ icon: "left", label: "Earlier events", title: "Earlier events", kind: "cl-small cl-quiet", on: () => pan(-1) });
  const on = button({ icon: "right", label: "Later events", title: "Later events", kind: "cl-small cl-quiet", on: () => pan(1) });
  const follow = button({ icon: "follow", label: "Follow the cursor", title: "Follow the cursor", kind: "cl-small cl-quiet", on: () => look(null) });
  const where = make("span", { class: "cl-muted" });
  const labels = make("div", { class: "cl-lane-labels" });
  const lines = draw("g");
  const marks = draw("g", { role: "listbox", "aria-label": "What happened, in order" });
  const future = draw("rect", { class: "cl-future" });
  const now = draw("g", { class: "cl-now" }, draw("line"));
  const svg = draw("svg", { class: "cl-plot" }, future, lines, now, marks);
  const axis = mountAxis();
  const scroll = make("div", { class: "cl-scroll cl-lanes", tabindex: "-1" }, axis.node, make("div", { class: "cl-lane-rows" }, labels, svg));
  const hint = make("p", { class: "cl-hint", text: "No event has been recorded yet." });
  const pane = make("div", { class: "cl-pane cl-timeline", role: "group", "aria-labelledby": title },
    make("header", { role: "none" }, make("h2", { id: title, text: "Timeline" }), legend(["event", "started", "continued", "stopped", "ignored", "refused"]),
      make("span", { class: "cl-gap" }), where, back, on, follow),
    scroll, hint);
  root.append(pane);
  let shown = null;
  let following = true;
  let plot = 480;

  function look(first) {
    following = first === null;
    put(follow, "aria-pressed", following ? "true" : "false");
    desk.look("timeline", { first });
  }
  function pan(direction) {
    if (!shown || isDisabled(direction < 0 ? back : on)) return;
    look(clamp(shown.first + direction * Math.ceil(shown.width / 2), 0, Math.max(0, shown.total - 1)));
  }
  function measure() {
    const width = scroll.clientWidth - labels.offsetWidth;
    if (width < 100 || !shown) return;
    plot = width;
    // How many have room; Python shows fewer where there are fewer, and so need not be asked again.
    const room = clamp(Math.floor(plot / MARK_STEP), 8, 200);
    if (room !== asked) desk.look("timeline", { width: (asked = room) });
    // Python may know this width already, as after a reload, and then has nothing to answer.
    paintTimeline();
  }
  let asked = null;
  function paintTimeline() {
    drawTimeline({ svg, lines, marks, future, now, labels }, shown, plot, desk);
    axis.update(shown, plot);
  }
  scroll.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) < 4 || !shown) return;
    event.preventDefault();
    look(clamp(shown.first + Math.sign(sideways) * 2, 0, Math.max(0, shown.total - 1)));
  }, { passive: false });
  listenToMarks(marks, desk);
  const observer = new ResizeObserver(measure);
  observer.observe(scroll);
  put(follow, "aria-pressed", "true");
  return {
    parts: ["timeline"],
    close: () => observer.disconnect(),
    update(value) {
      const isFirst = shown === null;
      shown = value;
      show(hint, value.total === 0 && !value.lanes.length);
      show(scroll, value.lanes.length > 0);
      const until = Math.min(value.first + value.width, value.total);
      setText(where, value.total ? `${count(value.first + 1)}–${count(Math.max(until, value.first + 1))} of ${count(value.total)}` : "");
      disable(back, value.first === 0);
      disable(on, value.first + value.width >= value.total);
      paintTimeline();
      desk.later(() => keepInSight(marks.querySelector(".cl-latest"), scroll, AXIS));
      if (isFirst || asked === null) measure();
    },
  };
}

function legend(kinds) {
  return make("span", { class: "cl-legend", "aria-hidden": "true" }, ...kinds.map((kind) => make("span", {}, glyph(kind), make("span", { text: kind }))));
}

function drawTimeline({ svg, lines, marks, future, now, labels }, value, plot, desk) {
  const step = plot / value.width;
  const height = value.lanes.length * LANE;
  const at = (x) => (x - value.first - 0.5) * step;
  const nowAt = nowPlace(value, step, plot);
  put(svg, "width", plot);
  put(svg, "height", height);
  keyed(labels, value.lanes, (lane) => lane.stream_id, laneLabel, () => {});
  keyed(lines, value.lanes.map((lane, place) => ({ ...lane, plot, y: (place + 0.5) * LANE })), (lane) => lane.stream_id,
    () => draw("line", { class: "cl-lane-line", x1: 0 }),
    (line, { y }) => { put(line, "x2", plot); put(line, "y1", y); put(line, "y2", y); });
  put(future, "x", nowAt);
  put(future, "width", Math.max(0, plot - nowAt));
  put(future, "height", height);
  put(now, "transform", `translate(${nowAt} 0)`);
  put(now.firstChild, "y2", height);
  show(now, hasNow(value));
  const cursor = (desk.values.controls ?? desk.values.fact)?.cursor;
  // What was there before the trace began (moment 0) is not what happened last.
  const latest = value.marks.reduce((found, mark) => (mark.moment <= cursor && mark.moment > found ? mark.moment : found), 0);
  keyed(marks, value.marks.map((mark) => ({ ...mark, at: at(mark.x).toFixed(1), latest: latest > 0 && mark.moment === latest })), markKey(value), markNode, updateMark);
  if (!marks.querySelector("[tabindex='0']") && marks.firstChild) put(marks.firstChild, "tabindex", "0");
}

function markKey(value) {
  return (mark) => `${value.lanes[mark.lane]?.stream_id} ${mark.x} ${mark.kind} ${mark.moment}`;
}

function laneLabel(lane) {
  return make("div", { class: "cl-lane-label", title: lane.stream_id }, glyph(lane.kind), ...nameParts(lane));
}

function updateMark(node, mark) {
  const words = mark.detail || mark.label;
  put(node, "transform", `translate(${mark.at} ${(mark.lane + 0.5) * LANE})`);
  put(node, "class", `cl-mark ${kindClass(mark.kind)} ${mark.is_past ? "cl-past" : "cl-later"}${mark.latest ? " cl-latest" : ""}`);
  put(node, "aria-selected", mark.latest ? "true" : "false");
  put(node, "aria-label", mark.is_past ? words : `${words} (not yet)`);
  setText(node.markParts.title, words);
  node.markParts.mark = mark;
}

function markNode(mark) {
  const title = draw("title");
  const node = draw("g", { role: "option", tabindex: "-1" }, title, draw("rect", { class: "cl-mark-target", x: -12, y: -12, width: 24, height: 24 }),
    draw("rect", { class: "cl-mark-ring", x: -9, y: -10, width: 18, height: 20, rx: 4 }),
    draw("path", { d: SHAPES[mark.kind] }));
  node.markParts = { mark, title };
  return node;
}

function nowPlace(value, step, plot) {
  return clamp((value.now - value.first) * step, 0, plot);
}

function hasNow(value) {
  return value.now >= value.first && value.now <= value.first + value.width;
}

/** The places of the events above the lanes, in sight however far one scrolls. */
function mountAxis() {
  const ticks = draw("g");
  const tip = draw("path", { class: "cl-now-tip", d: "M-4.5 0H4.5L0 6z" });
  const svg = draw("svg", { class: "cl-axis", height: AXIS }, ticks, tip);
  return {
    node: make("div", { class: "cl-axis-row", "aria-hidden": "true" }, svg),
    update(value, plot) {
      const step = plot / value.width;
      const until = Math.min(value.first + value.width, value.total);
      const every = [1, 5, 10, 20, 50].find((each) => each * step >= 10 + 7 * count(until).length) ?? 100;
      const ordinals = value.first === 0 && every > 1 && until ? [1] : [];
      for (let n = Math.ceil((value.first + 1) / every) * every; n <= until; n += every) ordinals.push(n);
      put(svg, "width", plot);
      keyed(ticks, ordinals.map((n) => ({ n, x: (n - value.first - 0.5) * step })), ({ n }) => n, ({ n }) => draw("text", { y: 13, text: count(n) }), (node, { x }) => put(node, "x", x));
      put(tip, "transform", `translate(${nowPlace(value, step, plot)} ${AXIS - 6})`);
      show(tip, hasNow(value));
    },
  };
}

/** Marks can be clicked, and reached by one tab stop and the arrow keys. */
function listenToMarks(marks, desk) {
  const marked = (event) => event.target.closest("[role=option]");
  marks.addEventListener("click", (event) => {
    const node = marked(event);
    if (!node) return;
    rove(marks.children, node);
    desk.goto(node.markParts.mark.moment);
  });
  marks.addEventListener("keydown", (event) => {
    const node = marked(event);
    if (!node) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      desk.goto(node.markParts.mark.moment);
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const found = neighbour(marks, node.markParts.mark, event.key);
      if (found) rove(marks.children, found);
    }
  });
}

function neighbour(marks, from, key) {
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  const far = ({ x, lane, moment }) => (sideways ? sign * (x - from.x || (moment - from.moment) / 1e6) : sign * (lane - from.lane));
  const off = ({ x, lane }) => (sideways ? Math.abs(lane - from.lane) * 0.01 : Math.abs(x - from.x) * 0.001);
  let best = null;
  for (const node of marks.children) {
    const mark = node.markParts.mark;
    if (far(mark) <= 0) continue;
    const cost = far(mark) + off(mark);
    if (!best || cost < best.cost) best = { node, cost };
  }
  return best?.node;
}
