// What is selected, marked in every view that shows it; a view selects what it shows by `desk.select`.

/**
 * Marks those children of a node that are of what is selected, and scrolls to the first that is picked anew. Where not
 * all children are there, `lacks` asks for the others, and tells whether there are any.
 */
function addPicked(desk, part, parent, scroll, isOf, lacks = () => false) {
  let shown = "";

  function mark() {
    const selected = desk.values.selected ?? {};
    const picked = [...parent.children].filter((node) => {
      const isPicked = Boolean(selected.kind) && isOf(node, selected);
      put(node, "data-picked", isPicked ? "true" : null);
      return isPicked;
    });
    const wanted = JSON.stringify([selected.kind, selected.position, selected.moment, selected.streams]);
    if (wanted === shown || (!picked.length && selected.kind && lacks())) return;
    shown = wanted;
    if (picked.length && selected.kind !== "range") desk.later(() => keepInSight(picked[0], scroll, 28));
  }
  // The view draws what it shows in the same answer, maybe after this.
  desk.add({ parts: ["selected", part], update: () => queueMicrotask(mark) });
}

/** Whether an event of that position is selected. */
function isPosition(position, { kind, position: first, until }) {
  return kind === "event" ? position === first : kind === "range" && position >= first && position <= until;
}
