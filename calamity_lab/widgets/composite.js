// All views in one widget, on one cursor: the head, two columns below it, and the last fact at the foot.

const TAB_VIEWS = [
  ["state", "State", (root, desk) => mountState(root, desk)],
  ["process_graph", "Process graph", (root, desk) => mountProcessGraph(root, desk)],
  ["sequence", "Sequence", (root, desk) => mountSequence(root, desk)],
  ["events", "Events", (root, desk) => mountEvents(root, desk)],
];

function mountComposite(root, desk, openHelp) {
  const controls = desk.add(mountControls(root, desk, openHelp));
  const left = make("div", { class: "cl-left" });
  const right = make("div", { class: "cl-right" });
  root.append(make("div", { class: "cl-columns" }, left, right));
  desk.add(mountAgenda(left, desk));
  desk.add(mountForm(left, desk));
  desk.add(mountTimeline(right, desk));
  const tabs = desk.addFirst(mountTabs(right, desk));
  desk.add(mountFoot(root, ["controls"]));
  return { go: controls.focusGo, search: tabs.search, play: controls.play };
}

function mountTabs(root, desk) {
  const list = make("div", { class: "cl-tabs", role: "tablist", "aria-label": "Views" });
  const tabs = TAB_VIEWS.map(([name, title, mount]) => {
    const panel = make("div", { class: "cl-panel", role: "tabpanel", id: freshId("panel"), hidden: true });
    const tab = make("button", { type: "button", class: "cl-tab", role: "tab", id: freshId("tab"), text: title, "aria-controls": panel.id });
    put(panel, "aria-labelledby", tab.id);
    return { name, tab, panel, view: desk.add(mount(panel, desk)) };
  });
  const nodes = tabs.map(({ tab }) => tab);
  list.append(...nodes);
  root.append(make("section", { class: "cl-pane cl-tabbed" }, list, ...tabs.map(({ panel }) => panel)));
  let shown = null;

  function choose(name) {
    if (name !== shown) desk.look("tabs", { shown: name });
  }
  for (const { name, tab } of tabs) tab.addEventListener("click", () => choose(name));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = tabs[(nodes.indexOf(event.target) + step + tabs.length) % tabs.length];
    rove(nodes, next.tab);
    choose(next.name);
  });
  return {
    parts: ["tabs"],
    search() {
      const field = tabs.find(({ name }) => name === shown)?.view.search;
      (field ?? root).focus();
    },
    // What a tab shows comes with the answer that chooses it, so that no view ever shows another moment.
    update(value) {
      shown = value.shown;
      for (const { name, tab, panel } of tabs) {
        put(tab, "aria-selected", name === shown ? "true" : "false");
        show(panel, name === shown);
      }
      rove(nodes, tabs.find(({ name }) => name === shown).tab, { focus: false });
    },
  };
}
