// Elements that are kept while their text changes, so that focus and hover stay.
// All that comes from the exchange enters as text or as an attribute's value, never as markup.

export const byId = (id) => document.getElementById(id);

export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

export function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export function element(name, className = "", value = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (value) node.textContent = value;
  return node;
}

export function keyed(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = new Set(items.map((item) => String(keyOf(item))));
  old.forEach((node, key) => wanted.has(key) || node.remove());
  items.forEach((item, place) => {
    const key = String(keyOf(item));
    let node = old.get(key);
    if (node === undefined) {
      node = make(item);
      node.dataset.key = key;
    }
    const there = parent.children[place] ?? null;
    if (there !== node) parent.insertBefore(node, there);
    update(node, item);
  });
}

// A column is [heading, class, item => text, or [text, tone], or a filler of the cell].
export function table(node, columns, items, keyOf) {
  if (!node.tHead) {
    const row = node.createTHead().insertRow();
    columns.forEach(([heading, kind]) => {
      const cell = element("th", kind, heading);
      cell.scope = "col";
      row.append(cell);
    });
    node.createTBody();
  }
  const make = () => {
    const row = element("tr");
    columns.forEach(([, kind], place) => {
      const cell = element(place ? "td" : "th", kind);
      if (!place) cell.scope = "row";
      row.append(cell);
    });
    return row;
  };
  keyed(node.tBodies[0], items, keyOf, make, (row, item) => {
    columns.forEach(([, kind, show], place) => {
      const cell = row.children[place];
      const shown = show(item, cell);
      if (shown === undefined) return;
      const [value, tone] = Array.isArray(shown) ? shown : [shown, ""];
      text(cell, value);
      const className = `${kind} ${tone}`.trim();
      if (cell.className !== className) cell.className = className;
      if (kind === "long") attribute(cell, "title", value);
    });
  });
  node.hidden = items.length === 0;
  const empty = byId(`${node.id}-empty`);
  if (empty) empty.hidden = items.length > 0;
}

export function line(cell, values) {
  let svg = cell.firstElementChild;
  if (svg === null) {
    svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", "0 0 100 26");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    cell.append(svg);
  }
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = 100 / Math.max(1, values.length - 1);
  const points = values.map((value, place) => {
    const y = high > low ? 24 - ((value - low) / (high - low)) * 22 : 13;
    return `${(place * step).toFixed(1)} ${y.toFixed(1)}`;
  });
  attribute(svg.firstElementChild, "d", `M${points.join("L")}`);
}
