// The head: the six moves, the scrubber over the moments, and a button for each branch.

const MOVES = [
  ["restart", "restart", "Restart", "To the start, before anything happened; nothing is lost", "Home"],
  ["step_back", "back", "Step back", "One step back", "["],
  ["step_in", "in", "Step in", "One kernel step", "]"],
  ["step_over", "over", "Step over", "One whole command", "."],
  ["step_out", "out", "Step out", "The command and all that it causes", null],
  ["resume", "resume", "Resume", "On until the agenda is empty", ">"],
];

function mountControls(root, desk, openHelp) {
  const moves = new Map(MOVES.map((move) => [move[0], moveButton(desk, move)]));
  const scrubber = mountScrubber(desk);
  const play = desk.add(mountPlay(desk));
  // Under a thumb that is held, nothing may move.
  scrubber.slider.addEventListener("pointerdown", play.pause);
  const help = button({ text: "?", label: "Keys", title: "Keys (?)", kind: "cl-quiet cl-help-button", on: openHelp });
  const branches = make("div", { class: "cl-branches", role: "group", "aria-label": "Branches", hidden: true });
  const chips = make("span", { class: "cl-branch-chips" });
  // A place that the composite may fill; alone, the controls have nothing to search.
  const search = make("div", { class: "cl-head-search" });
  branches.append(make("span", { class: "cl-label", text: "Branches" }), chips);
  const row = make("div", { class: "cl-moves" },
    make("div", { class: "cl-steps", role: "group", "aria-label": "Steps" }, ...moves.values()),
    make("span", { class: "cl-gap" }), search, scrubber.command, help);
  const head = make("div", { class: "cl-head" }, row,
    make("div", { class: "cl-scrubber-row" }, play.node, play.speed, scrubber.node, scrubber.where),
    branches);
  root.append(head);
  return {
    parts: ["controls"],
    row,
    search,
    play: play.toggle,
    focusGo: scrubber.focusGo,
    close: scrubber.close,
    update(value, patch) {
      for (const [verb, node] of moves) disable(node, isForward(verb) ? value.at_end : value.at_start);
      scrubber.update(value, patch);
      if (patch.branches || patch.branch) updateBranches(branches, chips, value, desk);
    },
  };
}

function isForward(verb) {
  return ["step_in", "step_over", "step_out", "resume"].includes(verb);
}

function moveButton(desk, [verb, name, text, title, key]) {
  const node = button({ icon: name, text, title: key ? `${title} (${key})` : title, kind: verb === "step_over" ? "cl-primary" : "",
    on: () => { if (!isDisabled(node)) desk.send(verb); } });
  if (key) put(node, "aria-keyshortcuts", key);
  return node;
}

function mountScrubber(desk) {
  const slider = make("input", { type: "range", class: "cl-slider", "aria-label": "Moment", min: "0", step: "1" });
  const ticks = draw("path", { class: "cl-ticks" });
  const done = make("span", { class: "cl-track-done" });
  const refusals = draw("path", { class: "cl-refusals" });
  const rail = make("div", { class: "cl-rail", "aria-hidden": "true" },
    make("span", { class: "cl-track" }, done), draw("svg", { class: "cl-tick-marks" }, ticks, refusals));
  const field = make("input", { class: "cl-input cl-number", inputmode: "numeric", "aria-label": "Go to", size: "5" });
  const total = make("span");
  const command = make("span", { class: "cl-muted cl-command-count" });
  const where = make("span", { class: "cl-where" }, make("span", { class: "cl-label", text: "step" }), field, total);
  slider.addEventListener("input", () => {
    paint(done, slider.valueAsNumber, Number(slider.max));
    desk.goto(slider.valueAsNumber);
  });
  slider.addEventListener("change", () => desk.rested());
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && askFor(field, desk)) field.closest(".cl-root").focus({ preventScroll: true });
    if (event.key === "Escape") { field.value = String(desk.values.controls.cursor); slider.focus(); }
  });
  field.addEventListener("blur", () => { field.value = String(desk.values.controls?.cursor ?? ""); });
  let width = 0;
  const observer = new ResizeObserver(() => {
    width = rail.clientWidth;
    if (desk.values.controls) paintMoments(ticks, refusals, desk.values.controls, width);
  });
  observer.observe(rail);
  return {
    slider,
    where,
    command,
    close: () => observer.disconnect(),
    node: make("div", { class: "cl-scrubber" }, rail, slider),
    focusGo() { field.focus(); field.select(); },
    update(value, patch) {
      put(slider, "max", value.last);
      put(slider, "disabled", value.last === 0);
      // While it is dragged, the slider is ahead of what Python has answered.
      if (!desk.asks("goto")) {
        slider.value = String(value.cursor);
        paint(done, value.cursor, value.last);
      }
      put(slider, "aria-valuetext", `${count(value.cursor)} of ${count(value.last)}`);
      if (field.getRootNode().activeElement !== field) field.value = String(value.cursor);
      setText(total, `of ${count(value.last)}`);
      setText(command, value.commands ? `command ${count(value.command_number)} of ${count(value.commands)}` : "");
      if ("ticks" in patch || "refused" in patch || "last" in patch) paintMoments(ticks, refusals, value, width);
    },
  };
}

function askFor(field, desk) {
  const moment = Number(field.value.replaceAll(",", "").trim() || NaN);
  if (Number.isInteger(moment)) desk.goto(moment);
  else field.select();
  return Number.isInteger(moment);
}

function paint(done, cursor, last) {
  done.style.width = `${last ? (100 * cursor) / last : 0}%`;
}

/** A line for each command and a cross for each refusal, as one path each: there may be hundreds. */
function paintMoments(ticks, refusals, value, width) {
  const at = (moment) => Math.round((2 * width * moment) / Math.max(value.last, 1)) / 2;
  put(ticks, "d", value.ticks.map((moment) => `M${at(moment)} 8v12`).join(""));
  put(refusals, "d", value.refused.map((moment) => `M${at(moment) - 3} 0l6 6m-6 0l6-6`).join(""));
}

function updateBranches(row, chips, { branches }, desk) {
  show(row, branches.length > 1);
  keyed(chips, branches, (branch) => branch.name,
    (branch) => make("button", { type: "button", class: "cl-chip", on: { click: () => desk.send("switch", { branch: branch.name }) } },
      make("span", { class: "cl-chip-name" }), make("span", { class: "cl-muted" })),
    (chip, branch) => {
      put(chip, "aria-pressed", branch.current ? "true" : "false");
      put(chip, "title", branch.parent ? `Left ${branch.parent} after step ${count(branch.forked_at)}` : "The first branch");
      setText(chip.firstChild, branch.name);
      setText(chip.lastChild, branch.parent ? `${count(branch.forked_at)} → ${count(branch.last)}` : `0 → ${count(branch.last)}`);
    });
}
