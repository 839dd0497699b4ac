// All views in one widget, on one cursor: the head, two columns below it, and the last fact at the foot.

const TAB_VIEWS = [
  ["state", "State", (root, desk) => mountState(root, desk)],
  ["process_graph", "Process graph", (root, desk) => mountProcessGraph(root, desk)],
  ["sequence", "Sequence", (root, desk) => mountSequence(root, desk)],
  ["events", "Events", (root, desk) => mountEvents(root, desk)],
];
// In pixels: below the least nothing can be read, and above the most nobody has a screen.
const LAB_HEIGHT = { least: 480, most: 2000 };
const LANES_HEIGHT = { least: 96, most: 900 };
const TABBED_HEIGHT = { least: 170 };

function mountComposite(root, desk, openHelp) {
  const controls = desk.add(mountControls(root, desk, openHelp));
  const left = make("div", { class: "cl-left" });
  const columns = make("div", { class: "cl-columns" }, left);
  root.append(columns);
  const drawer = desk.add(mountDrawer(root, controls.row, left, desk));
  const agenda = desk.add(mountAgenda(left, desk));
  const search = desk.add(mountSearch(controls.search, desk, (hit) => { drawer.reveal(); agenda.reveal(hit); }));
  desk.add(mountForm(left, desk));
  desk.add(mountTimeline(columns, desk));
  const lanes = columns.lastElementChild;
  columns.append(desk.add(mountHandle(root, lanes, { label: "Height of the lanes", property: "--cl-lanes-height", least: LANES_HEIGHT.least, most: () => roomForLanes(columns) })).node);
  desk.addFirst(mountTabs(columns, desk));
  desk.add(mountFoot(root, ["controls"]));
  root.append(desk.add(mountHandle(root, root, { label: "Height of the lab", property: "--cl-lab-height", least: LAB_HEIGHT.least, most: () => LAB_HEIGHT.most })).node);
  return { go: controls.focusGo, search: search.focus, next: search.next, previous: search.previous, play: controls.play };
}

/** In one column the page scrolls, and the lanes may be as high as they like. */
function roomForLanes(columns) {
  return getComputedStyle(columns).display === "grid" ? columns.clientHeight - TABBED_HEIGHT.least : LANES_HEIGHT.most;
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
    const there = tabs.filter(({ tab }) => !tab.hidden);
    const place = there.findIndex(({ tab }) => tab === event.target);
    const next = there[(place + step + there.length) % there.length];
    rove(nodes, next.tab);
    choose(next.name);
  });
  return {
    parts: ["tabs"],
    // What a tab shows comes with the answer that chooses it, so that no view ever shows another moment.
    update(value) {
      const chosen = tabs.find(({ name }) => name === value.shown);
      for (const { name, tab, panel } of tabs) {
        show(tab, value.there.includes(name));
        put(tab, "aria-selected", name === value.shown ? "true" : "false");
        show(panel, name === value.shown);
      }
      rove(nodes, chosen.tab, { focus: false });
      if (value.shown !== shown) desk.later(() => slideInSight(chosen.tab, list));
      shown = value.shown;
    },
  };
}

/** Scrolls a list sideways, and nothing around it, so that an item can be seen. */
function slideInSight(item, list) {
  const [inner, outer] = [item.getBoundingClientRect(), list.getBoundingClientRect()];
  if (inner.left < outer.left) list.scrollLeft -= outer.left - inner.left;
  else if (inner.right > outer.right) list.scrollLeft += inner.right - outer.right;
}
