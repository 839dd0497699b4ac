// State: a card for each aggregate and process manager, what just changed first, old value → new value.

const STATE_PAGE = 24;

function mountState(root, desk) {
  const total = make("span", { class: "cl-muted" });
  const search = searchBox("Search the state", (query) => desk.look("state", { query, first: 0 }));
  const pages = pager("rows", (first) => desk.look("state", { first }));
  const cards = make("div", { class: "cl-cards" });
  const hint = make("p", { class: "cl-hint" });
  const scroll = make("div", { class: "cl-scroll cl-view-body", role: "group", "aria-label": "State", tabindex: "0" }, cards, hint);
  root.append(make("div", { class: "cl-bar" }, search, total, make("span", { class: "cl-gap" }), pages.node), scroll);
  return {
    parts: ["state"],
    search,
    update({ rows, total: all, matching, first, query }, patch) {
      setText(total, query ? `${count(matching)} of ${count(all)}` : "");
      pages.update(first, rows.length, matching, STATE_PAGE);
      if (patch.first !== undefined) scroll.scrollTop = 0;
      show(hint, !rows.length);
      setText(hint, query ? "Nothing here has that in its name or its fields." : "Nothing is here yet: no command has made anything.");
      if (patch.rows) keyed(cards, rows, (row) => row.stream_id, stateCard, updateCard);
    },
  };
}

function stateCard(row) {
  const version = make("span", { class: "cl-muted cl-version" });
  const badge = make("span", { class: "cl-badge" });
  const fields = make("dl", { class: "cl-card-fields" });
  const card = make("article", { class: `cl-card ${kindClass(row.kind)}` },
    make("header", {}, glyph(row.kind), make("h3", { title: `${row.kind} ${row.stream_id}` }, ...nameParts(row)), badge, make("span", { class: "cl-gap" }), version), fields);
  card.cardParts = { version, badge, fields };
  return card;
}

function updateCard(card, row) {
  const { version, badge, fields } = card.cardParts;
  card.classList.toggle("cl-changed", row.changed);
  card.classList.toggle("cl-new", row.is_new);
  card.classList.toggle("cl-gone", row.gone);
  setText(version, `v${count(row.version)}`);
  const word = row.gone ? "stopped" : row.is_new ? "new" : row.changed ? "changed" : "";
  setText(badge, word);
  show(badge, word !== "");
  keyed(fields, row.fields, (field) => field.name, fieldLine, updateFieldLine);
}

function fieldLine(field) {
  const line = make("div", { class: "cl-line" },
    make("dt", { text: field.name }),
    make("dd", {}, make("del"), make("span", { class: "cl-arrow", text: " → " }), make("ins")));
  return line;
}

function updateFieldLine(line, field) {
  const [before, arrow, value] = line.lastChild.children;
  const had = field.changed && field.before !== null;
  // Of what is new, everything is: the card says so once.
  line.classList.toggle("cl-changed", had);
  show(before, had);
  show(arrow, had);
  setText(before, had ? field.before : "");
  setText(value, field.value);
  put(value, "title", field.value.length > 24 ? field.value : null);
}
