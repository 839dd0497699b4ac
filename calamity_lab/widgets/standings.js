// How an instance stands: the sign and the words for what a node or an edge of the process graph is to it.

function standingSign(name) {
  return draw("svg", { class: `cl-sign ${standingClass(name)}`, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, ...signPaths(name));
}

function signPaths(name) {
  const { outline, line } = LOOKS.signs[name];
  return [draw("path", { d: outline }), draw("path", { class: "cl-sign-line", d: line })];
}

function standingClass(name) {
  return `cl-stands cl-stands-${name.replaceAll(" ", "-")}`;
}

/** What the marks mean that can be seen now. */
function keyToMarks(node, { marks, nodes, edges, chosen }) {
  const there = new Set(marks.map(({ standing }) => standing).filter((standing) => standing !== "waiting"));
  const items = Object.keys(LOOKS.signs).filter((name) => there.has(name)).map((name) => [name, LOOKS.signs[name].word]);
  if (nodes.some(({ count: times }) => !times)) items.push(["possible", "possible, has not happened"]);
  if (chosen !== null && nodes.some(({ count: times, key }) => times && !marks.some((mark) => mark.key === key))) items.push(["elsewhere", "happened, not to this instance"]);
  if (edges.some(({ label }) => label === "if refused")) items.push(["refusal", "sent if a command is refused"]);
  if (nodes.some(({ count: times }) => times)) items.push(["count", "how often in the whole run"]);
  keyed(node, items, ([name]) => name, ([name, words]) => make("span", { role: "listitem" }, keySign(name), make("span", { text: words })), () => {});
}

function keySign(name) {
  if (name in LOOKS.signs) return standingSign(name);
  if (name === "count") return make("span", { class: "cl-key-count", text: "×3" });
  return draw("svg", { class: `cl-key-sign cl-key-${name}`, viewBox: "0 0 22 12", "aria-hidden": "true" }, draw("path", { d: name === "refusal" ? "M1 6H21" : "M1 1H21V11H1z" }));
}

/** The word beside the icon; of what was sent because another command was refused, that it came instead. */
function markWord({ kind }, { standing, times, instead }) {
  if (kind === "process manager" && standing === "done") return "stopped";
  const often = times > 1 && ["command", "event"].includes(kind) ? `×${count(times)}` : "";
  const state = instead && ["done", "in flight"].includes(standing) ? "instead" : standing === "done" ? "" : LOOKS.signs[standing].word;
  return [state, often].filter(Boolean).join(" ");
}

function standingWords({ mark, instance, kind }) {
  if (!instance) return "";
  if (!mark) return `not reached by ${instance}`;
  const state = kind === "process manager" && mark.standing === "done" ? "stopped" : LOOKS.signs[mark.standing].word;
  const often = mark.times > 1 ? `, ${count(mark.times)} times` : "";
  return `${state} ${kind === "process manager" ? "as" : "for"} ${instance}${often}${mark.told && mark.told !== instance ? `, ${mark.told}` : ""}`;
}

function wholeRun(times) {
  return times ? `${counted(times, "time")} in the whole run` : "possible, not yet";
}
