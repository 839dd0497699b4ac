// How an instance stands: the sign and the words for what a node or an edge of the process graph is to it.

// What a node or an edge is to the instance: an icon on a grid of 12 by 12 around 0, 0, and the words for it.
const STANDINGS = {
  done: { word: "done", d: "M-3.4.2-1 2.6 3.6-2.6" },
  "in flight": { word: "on its way", d: "M-3.6 0H2.8M.2-2.8 3.2 0 .2 2.8" },
  refused: { word: "refused", d: "M-2.7-2.7 2.7 2.7M2.7-2.7-2.7 2.7" },
  dropped: { word: "taken back", d: "M-3 0H3" },
  "waited for": { word: "waited for", d: "M-2.6-3.6H2.6M-2.6 3.6H2.6M-2-3.4C-2-1 2 1 2 3.4M2-3.4C2-1-2 1-2 3.4" },
  overdue: { word: "overdue", d: "M0-3.6V.8M0 3.2V3.4" },
};
STANDINGS.waiting = { word: "waits", d: STANDINGS["waited for"].d };

function standingSign(name) {
  return draw("svg", { class: `cl-sign ${standingClass(name)}`, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, ...signPaths(name));
}

function signPaths(name) {
  const ground = name === "overdue" ? draw("path", { d: "M0-7.6 7.8 6.4H-7.8z" }) : draw("circle", { r: 7 });
  return [ground, draw("path", { class: "cl-sign-line", d: STANDINGS[name].d })];
}

function standingClass(name) {
  return `cl-stands cl-stands-${name.replaceAll(" ", "-")}`;
}

/** What the marks mean that can be seen now. */
function keyToMarks(node, { marks, nodes, edges, chosen }) {
  const there = new Set(marks.map(({ standing }) => standing).filter((standing) => standing !== "waiting"));
  const items = Object.keys(STANDINGS).filter((name) => there.has(name)).map((name) => [name, STANDINGS[name].word]);
  if (nodes.some(({ count: times }) => !times)) items.push(["possible", "possible, has not happened"]);
  if (chosen !== null && nodes.some(({ count: times, key }) => times && !marks.some((mark) => mark.key === key))) items.push(["elsewhere", "happened, not to this instance"]);
  if (edges.some(({ label }) => label === "if refused")) items.push(["refusal", "sent if a command is refused"]);
  if (nodes.some(({ count: times }) => times)) items.push(["count", "how often in the whole run"]);
  keyed(node, items, ([name]) => name, ([name, words]) => make("span", { role: "listitem" }, keySign(name), make("span", { text: words })), () => {});
}

function keySign(name) {
  if (name in STANDINGS) return standingSign(name);
  if (name === "count") return make("span", { class: "cl-key-count", text: "×3" });
  return draw("svg", { class: `cl-key-sign cl-key-${name}`, viewBox: "0 0 22 12", "aria-hidden": "true" }, draw("path", { d: name === "refusal" ? "M1 6H21" : "M1 1H21V11H1z" }));
}

/** The word beside the icon; of what was sent because another command was refused, that it came instead. */
function markWord({ kind }, { standing, times, instead }) {
  if (kind === "process manager" && standing === "done") return "stopped";
  const often = times > 1 && ["command", "event"].includes(kind) ? `×${count(times)}` : "";
  const state = instead && ["done", "in flight"].includes(standing) ? "instead" : standing === "done" ? "" : STANDINGS[standing].word;
  return [state, often].filter(Boolean).join(" ");
}

function standingWords({ mark, instance, kind }) {
  if (!instance) return "";
  if (!mark) return `not reached by ${instance}`;
  const state = kind === "process manager" && mark.standing === "done" ? "stopped" : STANDINGS[mark.standing].word;
  const often = mark.times > 1 ? `, ${count(mark.times)} times` : "";
  return `${state} ${kind === "process manager" ? "as" : "for"} ${instance}${often}${mark.told && mark.told !== instance ? `, ${mark.told}` : ""}`;
}

function wholeRun(times) {
  return times ? `${counted(times, "time")} in the whole run` : "possible, not yet";
}
