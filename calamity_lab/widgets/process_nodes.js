// The nodes and the edges of the process graph, drawn where Python has them (views/scenes.py).

import { choiceOf, count, cutTo, draw, make, plural, put, setText } from "./elements.js";
import { keyed } from "./lists.js";
import { LOOKS } from "./looks.js";
import { kindClass, stopMark, stopWords } from "./signs.js";

/** @import { Stops } from "./signs.js" */
/** @import { Edge as GraphEdge, GraphScene, Node as GraphNode, ProcessGraphView, StatusMark } from "#views" */

const { boxWide: BOX_WIDE, boxHigh: BOX_HIGH, nameRoom: NAME_ROOM } = LOOKS.graph;
// The least scale of the picture before it scrolls.
const SMALLEST = 0.9;

export const ARROWS = ["plain", "later", "if-rejected", "in-flight", "rejected", "waited-for", "overdue"];

export function arrowHead(/** @type {string} */ id, /** @type {string} */ name) {
  const d = name === "rejected" ? "M1.4 1.4 6.6 6.6M6.6 1.4 1.4 6.6" : "M0 0.8 7.5 4 0 7.2z";
  return draw("marker", { id, viewBox: "0 0 8 8", refX: "7", refY: "4", markerWidth: "7", markerHeight: "7",
    markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" },
    draw("path", { class: `cl-arrow-head cl-arrow-${name}`, d }));
}

/**
 * @param {{ svg: SVGElement, headings: Element, nodes: Element, edges: Element, marker: string }} parts
 * @param {ProcessGraphView} value @param {Stops} stops what has a breakpoint
 */
export function drawGraph({ svg, headings, nodes, edges, marker }, value, stops) {
  const { boxes, ways, headings: titles, width, height } = value.scene;
  const marks = new Map(value.marks.map((mark) => [mark.key, mark]));
  const instance = chosenOf(value)?.stream_id;
  const instanceId = chosenOf(value)?.id;
  const isOwn = !instance || value.about.includes(instance);
  put(svg, "viewBox", `0 0 ${width} ${height}`);
  svg.style.minWidth = `${Math.round(width * SMALLEST)}px`;
  svg.style.maxWidth = `${width}px`;
  keyed(headings, titles, ({ text, x }) => `${text} ${x}`,
    ({ text }) => draw("text", { class: "cl-graph-heading", y: 14, text }), (text, { x }) => put(text, "x", x));
  const names = new Map(value.nodes.map(({ key, name }) => [key, name]));
  const edgeOf = new Map(value.edges.map((edge) => [`${edge.source} ${edge.target} ${edge.label}`, edge]));
  const drawable = ways.flatMap((way) => {
    const edge = edgeOf.get(way.key);
    if (!edge) return [];
    const ends = [names.get(edge.source), names.get(edge.target)];
    return [{ ...edge, key: way.key, mark: marks.get(way.key) ?? null, instance, ends, way }];
  });
  // What the instance had to do with lies over the rest.
  const ordered = [...drawable.filter(({ mark }) => !mark), ...drawable.filter(({ mark }) => mark)];
  keyed(edges, ordered, ({ key }) => key, edgeNode, (node, edge) => updateEdge(node, edge, marker));
  keyed(nodes,
    value.nodes.map((node, index) => ({ ...node, box: boxes[index], mark: marks.get(node.key) ?? null, instance,
      instanceId, isOwn, stop: stops.get(node.key) ?? "" })
    ), (node) => node.key, graphNode, updateGraphNode);
}

/**
 * What is drawn of a node and of an edge: its geometry, and its status for the chosen instance.
 * @typedef {{ mark: StatusMark | null, instance: string | undefined }} Marked
 * @typedef {GraphNode & Marked & { box: GraphScene["boxes"][number], instanceId: string | undefined, isOwn: boolean, stop: string }} DrawnNode
 * @typedef {GraphEdge & Marked & {
 *   key: string, ends: (string | undefined)[], way: GraphScene["ways"][number],
 * }} PlacedEdge
 */

/** @typedef {ReturnType<typeof graphNode>} GraphNodeElement */

function graphNode(/** @type {DrawnNode} */ node) {
  const name = draw("text", { class: "cl-node-name", x: BOX_WIDE / 2 }, draw("tspan"), draw("tspan"));
  const lines = node.box.lines.map((line, _at, all) => cutTo(line, NAME_ROOM, all.length > 1 ? 11 : 12));
  [...name.children].forEach((line, lineNumber) => {
    put(line, "x", BOX_WIDE / 2);
    put(line, "y", BOX_HIGH / 2 + (lines.length > 1 ? (lineNumber ? 6.5 : -5.5) : 0));
    setText(line, lines[lineNumber] ?? "");
  });
  put(name, "class", lines.length > 1 ? "cl-node-name cl-two-lines" : "cl-node-name");
  const parts = {
    title: draw("title"),
    name,
    times: draw("text", { class: "cl-node-count", x: BOX_WIDE - 2, y: -4 }),
    sign: draw("g", { transform: "translate(8 -5)" }),
    word: draw("text", { class: "cl-node-word", x: 19, y: -4 }),
    instance: draw("text", { class: "cl-node-instance", x: 26, y: BOX_HIGH + 12 }),
    stop: stopMark(`translate(${BOX_WIDE - 8} ${BOX_HIGH})`),
  };
  const drawn = draw("g", { role: "button" }, parts.title,
    draw("path", { class: "cl-node-shape", d: node.box.outline }), name, parts.times, parts.word, parts.instance,
    parts.sign, parts.stop);
  return Object.assign(drawn, { nodeParts: parts, graphNode: node });
}

// Where an arrow key leads: across to the nearest column, up and down within one.
/** @type {Record<string, [number, number]>} */
const TOWARDS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The node next to one, by an arrow key. @param {GraphNodeElement[]} nodes @param {GraphNodeElement} from @param {string} key */
export function nodeTowards(nodes, from, key) {
  const [across, down] = choiceOf(key, TOWARDS) ?? [0, 0];
  const { x, y } = from.graphNode.box;
  const far = (/** @type {GraphNodeElement} */ { graphNode: { box } }) => {
    const [dx, dy] = [across * (box.x - x), down * (box.y - y)];
    if (across) return dx > 0 ? dx * 1000 + Math.abs(box.y - y) : Infinity;
    return box.x === x && dy > 0 ? dy : Infinity;
  };
  const nearest = nodes.toSorted((one, other) => far(one) - far(other))[0];
  return key in TOWARDS && nearest && far(nearest) < Infinity ? nearest : null;
}

function updateGraphNode(/** @type {ReturnType<typeof graphNode>} */ drawn, /** @type {DrawnNode} */ node) {
  const { title, times, sign, word, instance, stop } = drawn.nodeParts;
  const { mark } = node;
  drawn.graphNode = node;
  put(drawn, "transform", `translate(${node.box.x} ${node.box.y})`);
  put(drawn, "class", nodeClass(node));
  setText(times,
    [node.current && node.isOwn && "now", node.count && `×${count(node.count)}`].filter(Boolean).join(" "));
  setText(word, mark ? markWord(node, mark) : "");
  setText(instance, mark && node.kind === "process manager" ? cutTo(node.instanceId ?? "", NAME_ROOM, 11) : "");
  if (sign.dataset.status !== (mark?.status ?? "")) {
    sign.dataset.status = mark?.status ?? "";
    sign.replaceChildren(...(mark ? signPaths(mark.status) : []));
  }
  const words = [`${node.kind} ${node.name}: ${statusWords(node)}`, wholeRun(node.count)];
  if (node.current) words.push(node.isOwn ? "just now" : `just now, not of ${node.instance}`);
  if (node.stop) words.push(stopWords(node.stop));
  put(stop, "data-stop", node.stop);
  setText(title, words.join("; "));
  put(drawn, "aria-label", words.join("; "));
}

function nodeClass(/** @type {DrawnNode} */ { kind, count: times, current, isOwn, mark, instance }) {
  const classes = ["cl-node", kindClass(kind), times ? "cl-happened" : "cl-possible"];
  if (current) classes.push("cl-current", isOwn ? "cl-own" : "cl-of-another");
  if (mark) classes.push(statusClass(mark.status));
  else if (instance) classes.push("cl-unreached");
  return classes.join(" ");
}

function edgeNode() {
  return draw("g", { role: "img" }, draw("title"), draw("path"), draw("text", {}, draw("tspan"), draw("tspan")));
}

function updateEdge(/** @type {Element} */ node, /** @type {PlacedEdge} */ edge, /** @type {string} */ marker) {
  const [title, path, text] = node.children;
  const { mark } = edge;
  const { line, words: beside } = edge.way;
  const isRejection = edge.label === "if rejected";
  const classes = ["cl-edge", edge.count ? "cl-happened" : "cl-possible", isRejection && "cl-if-rejected",
    edge.when && "cl-set-for-later"];
  classes.push(mark ? statusClass(mark.status) : edge.instance ? "cl-unreached" : "");
  put(node, "class", classes.filter(Boolean).join(" "));
  put(path, "d", line);
  put(path, "marker-end", `url(#${marker}-${arrowOf(edge)})`);
  [...text.children].forEach((span, number) => {
    put(span, "x", beside[number]?.[0]);
    put(span, "y", beside[number]?.[1]);
    setText(span, beside[number]?.[2] ?? "");
  });
  const words = `${edge.ends[0]} to ${edge.ends[1]}, ${edge.when || edge.label}: ${
    edge.instance ? `${statusWords({ ...edge, kind: "edge" })}; ` : ""
  }${wholeRun(edge.count)}`;
  setText(title, words);
  put(node, "aria-label", words);
}

function arrowOf(/** @type {PlacedEdge} */ { mark, count: times, label, instance }) {
  const status = mark?.status.replaceAll(" ", "-");
  if (status && ARROWS.includes(status)) return status;
  if (label === "if rejected") return "if-rejected";
  return mark || (times && !instance) ? "plain" : "later";
}

// The status of an instance: the sign and the words for a node or an edge of the process graph.

export function statusSign(/** @type {string} */ name) {
  return draw("svg", { class: `cl-sign ${statusClass(name)}`, viewBox: "-8 -8 16 16", "aria-hidden": "true" },
    ...signPaths(name));
}

function signPaths(/** @type {string} */ name) {
  const { outline, line } = LOOKS.signs[name];
  return [draw("path", { d: outline }), draw("path", { class: "cl-sign-line", d: line })];
}

function statusClass(/** @type {string} */ name) {
  return `cl-status cl-status-${name.replaceAll(" ", "-")}`;
}

/** What the marks mean that can be seen now. */
export function keyToMarks(/** @type {Element} */ node, /** @type {ProcessGraphView} */ { marks, nodes, edges, chosen },
  /** @type {Stops} */ stops)
{
  const there = new Set(marks.map(({ status }) => `${status}`).filter((status) => status !== "waiting"));
  const items = [...Object.entries(LOOKS.signs)].filter(([name]) => there.has(name)).map((
    [name, { word }],
  ) => [name, word]);
  if (nodes.some(({ count: times }) => !times)) items.push(["possible", "possible, has not happened"]);
  if (chosen !== null && nodes.some(({ count: times, key }) => times && !marks.some((mark) => mark.key === key))) {
    items.push(["elsewhere", "happened, not to this instance"]);
  }
  if (edges.some(({ label }) => label === "if rejected")) items.push(["rejection", "sent if a command is rejected"]);
  if (nodes.some(({ key }) => stops.has(key))) items.push(["stop", "has a breakpoint"]);
  if (nodes.some(({ count: times }) => times)) items.push(["count", "how often in the whole run"]);
  keyed(node, items, ([name]) => name,
    ([name, words]) => make("span", { role: "listitem" }, keySign(name), make("span", { text: words })), () => {});
}

function keySign(/** @type {string} */ name) {
  if (name in LOOKS.signs) return statusSign(name);
  if (name === "stop") {
    return draw("svg", { class: "cl-sign", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, stopMark());
  }
  if (name === "count") return make("span", { class: "cl-key-count", text: "×3" });
  return draw("svg", { class: `cl-key-sign cl-key-${name}`, viewBox: "0 0 22 12", "aria-hidden": "true" },
    draw("path", { d: name === "rejection" ? "M1 6H21" : "M1 1H21V11H1z" }));
}

/** The word beside the icon; of what was sent because another command was rejected, that it came instead. */
function markWord(/** @type {{ kind: string }} */ { kind }, /** @type {StatusMark} */ { status, times, instead }) {
  if (kind === "process manager" && status === "done") return "stopped";
  const often = times > 1 && ["command", "event"].includes(kind) ? `×${count(times)}` : "";
  const state = instead && ["done", "in flight"].includes(status)
    ? "instead"
    : status === "done"
    ? ""
    : LOOKS.signs[status].word;
  return [state, often].filter(Boolean).join(" ");
}

function statusWords(/** @type {Marked & { kind: string }} */ { mark, instance, kind }) {
  if (!instance) return "";
  if (!mark) return `not reached by ${instance}`;
  const state = kind === "process manager" && mark.status === "done" ? "stopped" : LOOKS.signs[mark.status].word;
  const often = mark.times > 1 ? `, ${count(mark.times)} times` : "";
  return `${state} ${kind === "process manager" ? "as" : "for"} ${instance}${often}${
    mark.note && mark.note !== instance ? `, ${mark.note}` : ""
  }`;
}

function wholeRun(/** @type {number} */ times) {
  return times ? `${plural(times, "time")} in the whole run` : "possible, has not happened";
}

/** The instance whose status is shown. */
export function chosenOf(/** @type {ProcessGraphView} */ { instances, chosen }) {
  return instances.find((each) => each.id === chosen || each.stream_id === chosen);
}
