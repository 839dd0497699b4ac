// The left column: where there is no room beside the right one, a drawer over it. The sheet says at which widths.

const ONE_COLUMN = 640;

function mountDrawer(root, row, left, desk) {
  const pending = make("span", { class: "cl-drawer-count" }, make("span"), make("span", { class: "cl-unseen", text: " pending" }));
  const text = desk.isRecorded ? "Next" : "Next and commands";
  const opener = button({ icon: "drawer", text, title: desk.isRecorded ? "What comes next" : "What comes next, and the commands that can be sent", kind: "cl-drawer-button", on: () => (isOpen() ? close() : open()) });
  const done = button({ text: "Close", label: `Close ${text}`, title: "Close (Escape)", kind: "cl-small cl-quiet cl-drawer-close", on: () => close() });
  opener.append(pending);
  put(left, "id", freshId("drawer"));
  put(opener, "aria-controls", left.id);
  put(opener, "aria-expanded", "false");
  left.prepend(done);
  row.prepend(opener);

  function isOpen() {
    return root.hasAttribute("data-drawer");
  }
  function draw(opened) {
    put(root, "data-drawer", opened ? "open" : null);
    put(opener, "aria-expanded", opened ? "true" : "false");
  }
  function open() {
    draw(true);
    document.addEventListener("pointerdown", pressed, true);
    done.focus({ preventScroll: true });
  }
  function leave() {
    draw(false);
    document.removeEventListener("pointerdown", pressed, true);
  }
  function close() {
    leave();
    opener.focus({ preventScroll: true });
  }
  // The head stays at hand: stepping along while one looks at what comes next is what the drawer is for.
  function pressed(event) {
    const path = event.composedPath();
    if (!path.includes(left) && !path.includes(row.parentElement)) leave();
  }
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isOpen() && !event.defaultPrevented && !event.target.closest("[role=dialog]")) close();
  });
  // What has the focus must not be under the drawer.
  root.addEventListener("focusin", (event) => {
    if (isOpen() && left.parentElement.contains(event.target) && !left.contains(event.target)) leave();
  });
  // In one column it stands between the lanes and the tabs, on the page as in the order of the Tab key.
  const observer = new ResizeObserver(() => {
    const columns = left.parentElement;
    const next = root.offsetWidth < ONE_COLUMN ? columns.querySelector(".cl-tabbed") : columns.firstElementChild;
    if (next !== left && next !== left.nextElementSibling) keepFocus(left, () => columns.insertBefore(left, next));
  });
  observer.observe(root);
  return {
    parts: ["agenda", "controls"],
    /** Opens it where it is one, and closed. */
    reveal() {
      if (opener.offsetParent !== null && !isOpen()) open();
    },
    close() {
      leave();
      observer.disconnect();
    },
    update(value, _patch, part) {
      if (part === "agenda") {
        setText(pending.firstChild, count(value.total));
        show(pending, value.total > 0);
      } else {
        // In an empty lab all begins in here.
        opener.classList.toggle("cl-primary", value.at_end && value.last === 0);
      }
    },
  };
}

/** Moves a node, and lets what has the focus in it keep it. */
function keepFocus(node, move) {
  const focused = node.getRootNode().activeElement;
  const isWithin = node.contains(focused);
  move();
  if (isWithin) focused.focus({ preventScroll: true });
}
