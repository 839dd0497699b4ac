// The process graph: what sends, causes and wakes what. What has happened is solid and counted.

const NODE_WIDTH = 138;
const NODE_HEIGHT = 28;
const LAYER_GAPS = [30, 30, 56];
const ROW_GAP = 14;
const GRAPH_EDGE = 12;
const BUS = 20;
const GRAPH_TOP = 24;

function mountProcessGraph(root, desk) {
  const managers = make("select", { class: "cl-input cl-select", "aria-label": "Process manager" });
  const instances = make("select", { class: "cl-input cl-select", "aria-label": "Instance" });
  const stage = make("span", { class: "cl-stage" });
  const marker = freshId("arrow");
  const headings = draw("g");
  const edges = draw("g");
  const nodes = draw("g");
  const svg = draw("svg", { class: "cl-graph", role: "none" },
    draw("defs", {}, arrowHead(marker), arrowHead(`${marker}-refused`, "cl-if-refused")), headings, edges, nodes);
  const scroll = make("div", { class: "cl-scroll cl-view-body cl-graph-scroll", role: "group", "aria-label": "Process graph", tabindex: "0" }, svg);
  const hint = make("p", { class: "cl-hint" });
  root.append(make("div", { class: "cl-bar cl-graph-bar" }, managers, instances, stage), scroll, hint);
  managers.addEventListener("change", () => desk.look("process_graph", { manager: managers.value || null, instance: null }));
  instances.addEventListener("change", () => {
    wanted = instances.value;
    desk.look("process_graph", { instance: wanted || null });
  });
  let wanted = "";
  return {
    parts: ["process_graph"],
    update(value, patch) {
      if (patch.managers || "manager" in patch) options(managers, value.managers.map((name) => [name, name]), value.manager);
      if (patch.manager !== undefined) wanted = "";
      if (patch.instances || patch.manager !== undefined) options(instances, instanceOptions(value), wanted);
      tellStage(stage, value);
      show(scroll, value.nodes.length > 0);
      show(hint, !value.nodes.length);
      setText(hint, "This model has no process manager, and nothing has happened yet.");
      if (patch.nodes || patch.edges) {
        drawGraph({ svg, headings, nodes, edges, marker }, value);
        desk.later(() => keepInSight(nodes.querySelector(".cl-current"), scroll));
      }
    },
  };
}

function options(select, wanted, chosen) {
  keyed(select, wanted, ([value]) => value, ([value]) => make("option", { value }), (option, [, text]) => setText(option, text));
  select.value = chosen ?? "";
  show(select, wanted.length > 1);
}

function instanceOptions({ instances }) {
  const named = instances.map((each) => [each.stream_id, `${each.stream_id}${each.status === "stopped" ? " (stopped)" : ""}`]);
  return named.length ? [["", "instance at work"], ...named] : [];
}

function tellStage(node, { instances, chosen, manager }) {
  const found = instances.find((each) => each.id === chosen || each.stream_id === chosen);
  if (!found) {
    setText(node, manager && !instances.length ? `no ${manager} has started yet` : "");
    return;
  }
  if (found.status === "stopped") {
    setText(node, `${found.stream_id}: ${found.stage || "stopped"}`);
    return;
  }
  const waits = found.waits_for.length ? `waits for ${found.waits_for.join(" or ")}` : found.status;
  setText(node, [`${found.stream_id}:`, found.stage && `“${found.stage}”,`, waits].filter(Boolean).join(" "));
}

function arrowHead(id, kind = "") {
  return draw("marker", { id, viewBox: "0 0 8 8", refX: "7", refY: "4", markerWidth: "7", markerHeight: "7", orient: "auto-start-reverse" },
    draw("path", { class: `cl-arrow-head ${kind}`, d: "M0 0.8 7.5 4 0 7.2z" }));
}

const HEADINGS = { command: "commands", aggregate: "aggregates", event: "events", "process manager": "process managers" };

/** Places of the nodes in pixels: layers and rows keep their order, and get the room that text needs. */
function layOut(nodes) {
  const layers = [...new Set(nodes.map(({ x }) => x))].sort((a, b) => a - b);
  const byLayer = layers.map((x) => nodes.filter((node) => node.x === x).sort((a, b) => a.y - b.y));
  const rows = Math.max(1, ...byLayer.map((layer) => layer.length));
  const height = rows * (NODE_HEIGHT + ROW_GAP);
  const places = new Map();
  const columns = byLayer.map((layer, column) => ({ kind: layer[0].kind, x: columnAt(column) }));
  byLayer.forEach((layer, column) => layer.forEach((node, row) => {
    places.set(node.key, {
      x: columnAt(column),
      y: GRAPH_TOP + ((row + 0.5) * height) / layer.length - NODE_HEIGHT / 2,
    });
  }));
  const right = Math.max(0, ...[...places.values()].map(({ x }) => x)) + NODE_WIDTH + GRAPH_EDGE;
  return { places, width: right, height: GRAPH_TOP + height + BUS, bus: GRAPH_TOP + height + 6, columns };
}

function columnAt(column) {
  return GRAPH_EDGE + BUS + column * NODE_WIDTH + LAYER_GAPS.slice(0, column).reduce((sum, gap) => sum + gap, 0);
}

function drawGraph({ svg, headings, nodes, edges, marker }, value) {
  const { places, columns, width, height, bus } = layOut(value.nodes);
  put(svg, "viewBox", `0 0 ${width} ${height}`);
  svg.style.minWidth = `${Math.round(width * 0.74)}px`;
  svg.style.maxWidth = `${width}px`;
  keyed(headings, columns, ({ kind, x }) => `${kind} ${x}`, ({ kind }) => draw("text", { class: "cl-graph-heading", y: 14, text: HEADINGS[kind] }),
    (text, { x }) => put(text, "x", x + NODE_WIDTH / 2));
  const drawable = value.edges.filter((edge) => places.has(edge.source) && places.has(edge.target));
  const names = new Map(value.nodes.map(({ key, name }) => [key, name]));
  keyed(edges, drawable.map((edge) => ({ ...edge, ends: [names.get(edge.source), names.get(edge.target)], from: places.get(edge.source), to: places.get(edge.target), bus })), (edge) => `${edge.source} ${edge.target} ${edge.label}`, edgeNode, (node, edge) => updateEdge(node, edge, marker));
  keyed(nodes, value.nodes.map((node) => ({ ...node, place: places.get(node.key) })), (node) => node.key, graphNode, updateGraphNode);
}

const NODE_SHAPES = {
  command: (w, h) => `M0 0H${w - 10}L${w} ${h / 2} ${w - 10} ${h}H0z`,
  event: (w, h) => `M0 0H${w}V${h - 8}L${w - 8} ${h}H0zM${w} ${h - 8}H${w - 8}V${h}`,
  "process manager": (w, h) => `M10 0H${w - 10}L${w} ${h / 2} ${w - 10} ${h}H10L0 ${h / 2}z`,
  aggregate: (w, h) => `M${h / 2} 0H${w - h / 2}A${h / 2} ${h / 2} 0 0 1 ${w - h / 2} ${h}H${h / 2}A${h / 2} ${h / 2} 0 0 1 ${h / 2} 0z`,
};

function graphNode(node) {
  const text = draw("text", { x: NODE_WIDTH / 2, y: NODE_HEIGHT / 2 });
  const times = draw("text", { class: "cl-node-count", x: NODE_WIDTH - 2, y: -3 });
  const title = draw("title");
  return draw("g", { role: "img" }, title, draw("path", { class: "cl-node-shape", d: NODE_SHAPES[node.kind](NODE_WIDTH, NODE_HEIGHT) }), text, times);
}

function updateGraphNode(drawn, node) {
  const [title, , text, times] = drawn.children;
  put(drawn, "transform", `translate(${node.place.x} ${node.place.y})`);
  const state = `${node.count ? "cl-happened" : "cl-possible"}${node.current ? " cl-current" : ""}${node.waited_for ? " cl-waited" : ""}`;
  put(drawn, "class", `cl-node ${kindClass(node.kind)} ${state}`);
  setText(text, fitted(node.name, 20));
  setText(times, `${node.waited_for ? "waited for " : ""}${node.count ? `×${count(node.count)}` : ""}`);
  const words = `${node.kind} ${node.name}: ${node.count ? `${count(node.count)}×` : "not yet"}${node.waited_for ? ", waited for" : ""}`;
  setText(title, words);
  put(drawn, "aria-label", `${words}${node.current ? ", just now" : ""}`);
}

function fitted(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

function edgeNode() {
  return draw("g", { role: "img" }, draw("title"), draw("path"), draw("text"));
}

function updateEdge(node, edge, marker) {
  const [title, path, text] = node.children;
  const { d, label } = edgePath(edge.from, edge.to, edge.bus);
  put(node, "class", `cl-edge ${edge.count ? "cl-happened" : "cl-possible"}${edge.label === "if refused" ? " cl-if-refused" : ""}`);
  put(path, "d", d);
  put(path, "marker-end", `url(#${edge.label === "if refused" ? `${marker}-refused` : marker})`);
  put(text, "x", label.x);
  put(text, "y", label.y);
  setText(text, ["start", "continue", "stop"].includes(edge.label) ? edge.label : "");
  const words = `${edge.label}: ${edge.count ? `${count(edge.count)}×` : "possible, not yet"}`;
  setText(title, words);
  put(node, "aria-label", `${edge.ends[0]} to ${edge.ends[1]}, ${words}`);
}

/** An edge: a curve to the right, or, going back, a line that runs below and left of everything. */
function edgePath(from, to, bus) {
  const start = { x: from.x + NODE_WIDTH, y: from.y + NODE_HEIGHT / 2 };
  const end = { x: to.x - 1, y: to.y + NODE_HEIGHT / 2 };
  const label = { x: start.x + 4, y: start.y - 4 };
  if (end.x > start.x) {
    const bend = (end.x - start.x) * 0.55;
    return { d: `M${start.x} ${start.y}C${start.x + bend} ${start.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`, label };
  }
  const down = { x: from.x + NODE_WIDTH / 2, y: from.y + NODE_HEIGHT };
  const left = GRAPH_EDGE;
  return { d: `M${down.x} ${down.y}V${bus - 8}q0 8-8 8H${left + 8}q-8 0-8-8V${end.y + 8}q0-8 8-8H${end.x}`, label };
}
