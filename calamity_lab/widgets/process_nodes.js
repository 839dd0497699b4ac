// The nodes and the edges of the process graph, as they are laid out and drawn.

import { count, counted, cutTo, draw, make, put, setText, widthOf } from "./kit.js";
import { keyed } from "./lists.js";
import { LOOKS } from "./looks.js";
import { kindClass } from "./signs.js";

/** @import { GraphEdge, GraphNode, Point, ProcessGraph, StandingMark } from "./types.js" */

const NODE_WIDTH = 134;
const NODE_HEIGHT = 28;
const NAME_ROOM = NODE_WIDTH - 24;
const LAYER_GAPS = [28, 28, 58];
const ROW_GAP = 17;
const GRAPH_EDGE = 8;
const BUS = 24;
const GRAPH_TOP = 34;
// The line of what is sent if a command is rejected runs outside the other, so that both are seen.
const REFUSAL_ASIDE = 6;
// So far the picture shrinks before it scrolls.
const SMALLEST = 0.9;

export const ARROWS = ["plain", "later", "if-refused", "in-flight", "refused", "waited-for", "overdue"];

export function arrowHead(/** @type {string} */ id, /** @type {string} */ name) {
  const d = name === "refused" ? "M1.4 1.4 6.6 6.6M6.6 1.4 1.4 6.6" : "M0 0.8 7.5 4 0 7.2z";
  return draw("marker", { id, viewBox: "0 0 8 8", refX: "7", refY: "4", markerWidth: "7", markerHeight: "7",
    markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" },
    draw("path", { class: `cl-arrow-head cl-arrow-${name}`, d }));
}

/** @type {Record<string, string>} */
const HEADINGS = { command: "commands", aggregate: "aggregates", event: "events",
  "process manager": "process managers" };

/** Places of the nodes in pixels: layers and rows keep their order, and get the room that text needs. */
function layOut(/** @type {GraphNode[]} */ nodes) {
  const layers = [...new Set(nodes.map(({ x }) => x))].sort((a, b) => a - b);
  const byLayer = layers.map((x) => nodes.filter((node) => node.x === x).sort((a, b) => a.y - b.y));
  const rows = Math.max(1, ...byLayer.map((layer) => layer.length));
  const height = rows * (NODE_HEIGHT + ROW_GAP);
  /** @type {Map<string, Point>} */
  const places = new Map();
  const columns = byLayer.map((layer, column) => ({ kind: layer[0].kind, x: columnAt(column) }));
  byLayer.forEach((layer, column) =>
    layer.forEach((node, row) => {
      places.set(node.key, {
        x: columnAt(column),
        y: GRAPH_TOP + ((row + 0.5) * height) / layer.length - NODE_HEIGHT / 2,
      });
    })
  );
  const right = Math.max(0, ...[...places.values()].map(({ x }) => x)) + NODE_WIDTH + GRAPH_EDGE;
  return { places, width: right, height: GRAPH_TOP + height + BUS, bus: GRAPH_TOP + height + 6, columns };
}

function columnAt(/** @type {number} */ column) {
  return GRAPH_EDGE + BUS + column * NODE_WIDTH + LAYER_GAPS.slice(0, column).reduce((sum, gap) => sum + gap, 0);
}

/**
 * @param {{ svg: SVGElement, headings: Element, nodes: Element, edges: Element, marker: string }} parts
 * @param {ProcessGraph} value
 */
export function drawGraph({ svg, headings, nodes, edges, marker }, value) {
  const { places, columns, width, height, bus } = layOut(value.nodes);
  const placeOf = (/** @type {string} */ key) => /** @type {Point} */ (places.get(key));
  const marks = new Map(value.marks.map((mark) => [mark.key, mark]));
  const instance = chosenOf(value)?.stream_id;
  const instanceId = chosenOf(value)?.id;
  const isOwn = !instance || value.about.includes(instance);
  put(svg, "viewBox", `0 0 ${width} ${height}`);
  svg.style.minWidth = `${Math.round(width * SMALLEST)}px`;
  svg.style.maxWidth = `${width}px`;
  keyed(headings, columns, ({ kind, x }) => `${kind} ${x}`,
    ({ kind }) => draw("text", { class: "cl-graph-heading", y: 14, text: HEADINGS[kind] }),
    (text, { x }) => put(text, "x", x + NODE_WIDTH / 2));
  const names = new Map(value.nodes.map(({ key, name }) => [key, name]));
  const drawable = value.edges.filter((edge) => places.has(edge.source) && places.has(edge.target)).map((edge) => {
    const key = `${edge.source} ${edge.target} ${edge.label}`;
    return { ...edge, key, mark: marks.get(key) ?? null, instance,
      ends: [names.get(edge.source), names.get(edge.target)], from: placeOf(edge.source), to: placeOf(edge.target),
      bus };
  });
  // What the instance had to do with lies over the rest.
  const ordered = [...drawable.filter(({ mark }) => !mark), ...drawable.filter(({ mark }) => mark)];
  keyed(edges, ordered, ({ key }) => key, edgeNode, (node, edge) => updateEdge(node, edge, marker));
  keyed(nodes,
    value.nodes.map((node) => ({ ...node, place: placeOf(node.key), mark: marks.get(node.key) ?? null, instance,
      instanceId, isOwn })
    ), (node) => node.key, graphNode, updateGraphNode);
}

/** @type {Record<string, (width: number, height: number) => string>} */
const NODE_SHAPES = {
  command: (w, h) => `M0 0H${w - 10}L${w} ${h / 2} ${w - 10} ${h}H0z`,
  event: (w, h) => `M0 0H${w}V${h - 8}L${w - 8} ${h}H0zM${w} ${h - 8}H${w - 8}V${h}`,
  "process manager": (w, h) => `M10 0H${w - 10}L${w} ${h / 2} ${w - 10} ${h}H10L0 ${h / 2}z`,
  aggregate: (w, h) =>
    `M${h / 2} 0H${w - h / 2}A${h / 2} ${h / 2} 0 0 1 ${w - h / 2} ${h}H${h / 2}A${h / 2} ${h / 2} 0 0 1 ${h / 2} 0z`,
};

/**
 * What is drawn of a node and of an edge: where it stands, and what it is to the instance that is looked at.
 * @typedef {{ mark: StandingMark | null, instance: string | undefined }} Stands
 * @typedef {GraphNode & Stands & { place: Point, instanceId: string | undefined, isOwn: boolean }} PlacedNode
 * @typedef {GraphEdge & Stands & {
 *   key: string, ends: (string | undefined)[], from: Point, to: Point, bus: number,
 * }} PlacedEdge
 */

function graphNode(/** @type {PlacedNode} */ node) {
  const name = draw("text", { class: "cl-node-name", x: NODE_WIDTH / 2 }, draw("tspan"), draw("tspan"));
  const lines = nameLines(node.name);
  [...name.children].forEach((line, place) => {
    put(line, "x", NODE_WIDTH / 2);
    put(line, "y", NODE_HEIGHT / 2 + (lines.length > 1 ? (place ? 6.5 : -5.5) : 0));
    setText(line, lines[place] ?? "");
  });
  put(name, "class", lines.length > 1 ? "cl-node-name cl-two-lines" : "cl-node-name");
  const parts = {
    title: draw("title"),
    name,
    times: draw("text", { class: "cl-node-count", x: NODE_WIDTH - 2, y: -4 }),
    sign: draw("g", { transform: "translate(8 -5)" }),
    word: draw("text", { class: "cl-node-word", x: 19, y: -4 }),
    instance: draw("text", { class: "cl-node-instance", x: 26, y: NODE_HEIGHT + 12 }),
  };
  const drawn = draw("g", { role: "img" }, parts.title,
    draw("path", { class: "cl-node-shape", d: NODE_SHAPES[node.kind](NODE_WIDTH, NODE_HEIGHT) }), name, parts.times,
    parts.word, parts.instance, parts.sign);
  return Object.assign(drawn, { nodeParts: parts });
}

function updateGraphNode(/** @type {ReturnType<typeof graphNode>} */ drawn, /** @type {PlacedNode} */ node) {
  const { title, times, sign, word, instance } = drawn.nodeParts;
  const { mark } = node;
  put(drawn, "transform", `translate(${node.place.x} ${node.place.y})`);
  put(drawn, "class", nodeClass(node));
  setText(times,
    [node.current && node.isOwn && "now", node.count && `×${count(node.count)}`].filter(Boolean).join(" "));
  setText(word, mark ? markWord(node, mark) : "");
  setText(instance, mark && node.kind === "process manager" ? cutTo(node.instanceId ?? "", NODE_WIDTH - 24, 11) : "");
  if (sign.dataset.standing !== (mark?.standing ?? "")) {
    sign.dataset.standing = mark?.standing ?? "";
    sign.replaceChildren(...(mark ? signPaths(mark.standing) : []));
  }
  const words = [`${node.kind} ${node.name}: ${standingWords(node)}`, wholeRun(node.count)];
  if (node.current) words.push(node.isOwn ? "just now" : `just now, not of ${node.instance}`);
  setText(title, words.join("; "));
  put(drawn, "aria-label", words.join("; "));
}

function nodeClass(/** @type {PlacedNode} */ { kind, count: times, current, isOwn, mark, instance }) {
  const classes = ["cl-node", kindClass(kind), times ? "cl-happened" : "cl-possible"];
  if (current) classes.push("cl-current", isOwn ? "cl-own" : "cl-of-another");
  if (mark) classes.push(standingClass(mark.standing));
  else if (instance) classes.push("cl-unreached");
  return classes.join(" ");
}

/** A name in one line, or in two that are broken between its words, so that it stays within its box. */
function nameLines(/** @type {string} */ name) {
  if (widthOf(name, 12) <= NAME_ROOM) return [name];
  const words = name.slice(0, 80).split(/(?<=[\p{Ll}\d])(?=\p{Lu})|(?<=[_ ])/u);
  const breaks = words.slice(1).map((_word, at) => [words.slice(0, at + 1).join(""), words.slice(at + 1).join("")]);
  const widest = (/** @type {string[]} */ [one, other]) => Math.max(widthOf(one, 11), widthOf(other, 11));
  const lines = breaks.sort((a, b) => widest(a) - widest(b))[0] ?? [name];
  return lines.map((line) => cutTo(line, NAME_ROOM, lines.length > 1 ? 11 : 12));
}

function edgeNode() {
  return draw("g", { role: "img" }, draw("title"), draw("path"), draw("text"));
}

function updateEdge(/** @type {Element} */ node, /** @type {PlacedEdge} */ edge, /** @type {string} */ marker) {
  const [title, path, text] = node.children;
  const { mark } = edge;
  const { d, label } = edgePath(edge);
  const isRefusal = edge.label === "if refused";
  const classes = ["cl-edge", edge.count ? "cl-happened" : "cl-possible", isRefusal && "cl-if-refused"];
  classes.push(mark ? standingClass(mark.standing) : edge.instance ? "cl-unreached" : "");
  put(node, "class", classes.filter(Boolean).join(" "));
  put(path, "d", d);
  put(path, "marker-end", `url(#${marker}-${arrowOf(edge)})`);
  put(text, "x", label.x);
  put(text, "y", label.y);
  setText(text, ["start", "continue", "stop"].includes(edge.label) ? edge.label : "");
  const words = `${edge.ends[0]} to ${edge.ends[1]}, ${edge.label}: ${
    edge.instance ? `${standingWords({ ...edge, kind: "edge" })}; ` : ""
  }${wholeRun(edge.count)}`;
  setText(title, words);
  put(node, "aria-label", words);
}

function arrowOf(/** @type {PlacedEdge} */ { mark, count: times, label, instance }) {
  const standing = mark?.standing.replaceAll(" ", "-");
  if (standing && ARROWS.includes(standing)) return standing;
  if (label === "if refused") return "if-refused";
  return mark || (times && !instance) ? "plain" : "later";
}

/** An edge: a curve to the right, or, going back, a line that runs below and left of everything. */
function edgePath(/** @type {PlacedEdge} */ { from, to, bus, label: verb }) {
  const start = { x: from.x + NODE_WIDTH, y: from.y + NODE_HEIGHT / 2 };
  const end = { x: to.x - 1, y: to.y + NODE_HEIGHT / 2 };
  const label = { x: start.x + 4, y: start.y - 4 };
  if (end.x > start.x) {
    const bend = (end.x - start.x) * 0.55;
    return { d: `M${start.x} ${start.y}C${start.x + bend} ${start.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`,
      label };
  }
  const out = verb === "if refused" ? REFUSAL_ASIDE : 0;
  const down = { x: from.x + 14 + out, y: from.y + NODE_HEIGHT };
  const [left, low] = [GRAPH_EDGE + REFUSAL_ASIDE - out, bus + out];
  return { d: `M${down.x} ${down.y}V${low - 8}q0 8-8 8H${left + 8}q-8 0-8-8V${end.y + 8}q0-8 8-8H${end.x}`, label };
}

// How an instance stands: the sign and the words for what a node or an edge of the process graph is to it.

export function standingSign(/** @type {string} */ name) {
  return draw("svg", { class: `cl-sign ${standingClass(name)}`, viewBox: "-8 -8 16 16", "aria-hidden": "true" },
    ...signPaths(name));
}

function signPaths(/** @type {string} */ name) {
  const { outline, line } = LOOKS.signs[name];
  return [draw("path", { d: outline }), draw("path", { class: "cl-sign-line", d: line })];
}

function standingClass(/** @type {string} */ name) {
  return `cl-stands cl-stands-${name.replaceAll(" ", "-")}`;
}

/** What the marks mean that can be seen now. */
export function keyToMarks(/** @type {Element} */ node, /** @type {ProcessGraph} */ { marks, nodes, edges, chosen }) {
  const there = new Set(marks.map(({ standing }) => standing).filter((standing) => standing !== "waiting"));
  const items = [...Object.entries(LOOKS.signs)].filter(([name]) => there.has(name)).map((
    [name, { word }],
  ) => [name, word]);
  if (nodes.some(({ count: times }) => !times)) items.push(["possible", "possible, has not happened"]);
  if (chosen !== null && nodes.some(({ count: times, key }) => times && !marks.some((mark) => mark.key === key))) {
    items.push(["elsewhere", "happened, not to this instance"]);
  }
  if (edges.some(({ label }) => label === "if refused")) items.push(["refusal", "sent if a command is rejected"]);
  if (nodes.some(({ count: times }) => times)) items.push(["count", "how often in the whole run"]);
  keyed(node, items, ([name]) => name,
    ([name, words]) => make("span", { role: "listitem" }, keySign(name), make("span", { text: words })), () => {});
}

function keySign(/** @type {string} */ name) {
  if (name in LOOKS.signs) return standingSign(name);
  if (name === "count") return make("span", { class: "cl-key-count", text: "×3" });
  return draw("svg", { class: `cl-key-sign cl-key-${name}`, viewBox: "0 0 22 12", "aria-hidden": "true" },
    draw("path", { d: name === "refusal" ? "M1 6H21" : "M1 1H21V11H1z" }));
}

/** The word beside the icon; of what was sent because another command was rejected, that it came instead. */
function markWord(/** @type {{ kind: string }} */ { kind }, /** @type {StandingMark} */ { standing, times, instead }) {
  if (kind === "process manager" && standing === "done") return "stopped";
  const often = times > 1 && ["command", "event"].includes(kind) ? `×${count(times)}` : "";
  const state = instead && ["done", "in flight"].includes(standing)
    ? "instead"
    : standing === "done"
    ? ""
    : LOOKS.signs[standing].word;
  return [state, often].filter(Boolean).join(" ");
}

function standingWords(/** @type {Stands & { kind: string }} */ { mark, instance, kind }) {
  if (!instance) return "";
  if (!mark) return `not reached by ${instance}`;
  const state = kind === "process manager" && mark.standing === "done" ? "stopped" : LOOKS.signs[mark.standing].word;
  const often = mark.times > 1 ? `, ${count(mark.times)} times` : "";
  return `${state} ${kind === "process manager" ? "as" : "for"} ${instance}${often}${
    mark.told && mark.told !== instance ? `, ${mark.told}` : ""
  }`;
}

function wholeRun(/** @type {number} */ times) {
  return times ? `${counted(times, "time")} in the whole run` : "possible, has not happened";
}

/** The instance whose standing is shown. */
export function chosenOf(/** @type {ProcessGraph} */ { instances, chosen }) {
  return instances.find((each) => each.id === chosen || each.stream_id === chosen);
}
