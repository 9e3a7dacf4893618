// One row a position: covered, naked, and what happened when.

import { attribute, byId, element, keyed, text } from "./dom.js";
import { CAUSES, clock, exitWords, gapWords, price, seconds, size } from "./words.js";

const GLYPHS = { entry: "▲", exit: "■", stop: "◆", stop_gone: "◇" };
const MARKS = { entry: "Entry", exit: "Exit", stop: "Stop accepted", stop_gone: "Stop gone" };
const MOST_ROWS = 12;

let minutes = 0;
byId("ranges").addEventListener("click", (event) => {
  const chosen = event.target.closest("button");
  if (!chosen) return;
  minutes = Number(chosen.dataset.minutes);
  for (const button of byId("ranges").children) {
    button.setAttribute("aria-pressed", String(button === chosen));
  }
});

const tip = byId("tip");
function showTip(node) {
  const words = node.dataset.tip;
  if (!words) return;
  text(tip, words);
  tip.hidden = false;
  const [at, own] = [node.getBoundingClientRect(), tip.getBoundingClientRect()];
  const left = Math.min(Math.max(8, at.left + at.width / 2 - own.width / 2), innerWidth - own.width - 8);
  tip.style.left = `${left}px`;
  tip.style.top = `${at.top > own.height + 12 ? at.top - own.height - 8 : at.bottom + 8}px`;
}
const hideTip = () => { tip.hidden = true; };
for (const kind of ["pointerover", "focusin"]) {
  byId("timeline").addEventListener(kind, (event) => {
    const node = event.target.closest("[data-tip]");
    if (node) showTip(node);
  });
}
byId("timeline").addEventListener("pointerout", hideTip);
byId("timeline").addEventListener("focusout", hideTip);
addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
addEventListener("scroll", hideTip, { passive: true });

export function drawTimeline(state) {
  const all = state.coverage.toReversed().sort((a, b) => b.number - a.number);
  const earliest = minutes ? state.now_ms - minutes * 60_000 : -Infinity;
  const rows = all.filter((p) => (p.closed_ms ?? state.now_ms) >= earliest).slice(0, MOST_ROWS);
  const first = Math.min(state.now_ms - 10_000, ...rows.map((p) => p.opened_ms - 1_000));
  const view = { from: Math.max(earliest, first), to: state.now_ms };
  keyed(byId("timeline"), rows, (p) => p.number, makeRow, (row, p) => updateRow(row, p, view));
  byId("timeline-empty").hidden = rows.length > 0;
  text(byId("timeline-empty"), all.length ? "No position in this time." : "No position yet.");
  drawAxis(rows.length ? view : null);
}

function drawAxis(view) {
  const count = innerWidth < 800 ? 3 : 6;
  const places = view ? [...Array(count).keys()].map((i) => i / (count - 1)) : [];
  keyed(byId("axis"), places, (p) => p, () => element("span"), (node, place) => {
    node.style.left = `${place * 100}%`;
    text(node, clock(view.from + place * (view.to - view.from)));
  });
}

function makeRow() {
  const row = element("div", "row");
  const label = element("div");
  const who = element("div", "who");
  who.append(element("b"), " ", element("span"));
  label.append(who, element("div", "state"));
  const track = element("div", "track");
  track.setAttribute("role", "group");
  track.append(element("div", "bar"), element("div", "gaps"), element("div", "marks"));
  row.append(label, track);
  return row;
}

function stateWords(position) {
  const gap = position.gaps.at(-1);
  if (gap && gap.end_ms === null) return [`⚠ naked for ${seconds(gap.seconds)}: ${CAUSES[gap.cause] ?? gap.cause}`, "text-bad"];
  if (position.naked_s > 0) {
    const causes = Object.keys(position.naked_by_cause).map((cause) => CAUSES[cause] ?? cause);
    return [`⚠ was naked for ${seconds(position.naked_s)}: ${causes.join(", ")}`, "text-bad"];
  }
  const end = position.closed_ms === null ? "" : `, closed by ${exitWords(position.exit)}`;
  return [`✓ always covered${end}`, "text-good"];
}

function updateRow(row, position, view) {
  const [label, track] = row.children;
  const [who, state] = label.children;
  text(who.children[0], `${position.symbol} ${position.side}`);
  text(who.children[1], size(position.qty_max));
  const [words, tone] = stateWords(position);
  text(state, words);
  attribute(state, "class", `state ${tone}`);
  const open = position.closed_ms === null;
  const until = open ? "still open" : `closed at ${clock(position.closed_ms)} by ${exitWords(position.exit)}`;
  attribute(track, "aria-label", `${position.symbol} ${position.side}: opened at ${clock(position.opened_ms)}, ${until}; ${words.slice(2)}`);
  const [bar, gaps, marks] = track.children;
  attribute(bar, "class", open ? "bar open" : "bar");
  stretch(bar, position.opened_ms, position.closed_ms ?? view.to, view);
  keyed(gaps, position.gaps.filter((g) => (g.end_ms ?? view.to) >= view.from), (g) => g.start_ms, makeGap, (node, gap) => {
    stretch(node, gap.start_ms, gap.end_ms ?? view.to, view);
    say(node, gapWords(gap));
  });
  const shown = position.marks.map((mark, place) => [mark, place]).filter(([mark]) => mark.ms >= view.from);
  keyed(marks, shown, ([mark, place]) => `${place}-${mark.ms}-${mark.kind}`, makeMark, (node, [mark]) => {
    node.style.left = `${share(mark.ms, view)}%`;
    const at = mark.price ? ` at ${price(position.symbol, mark.price)}` : "";
    say(node, `${MARKS[mark.kind]}, ${size(mark.quantity)}${at}, ${clock(mark.ms, true)}`);
  });
}

function makeGap() {
  const node = element("div", "gap");
  node.tabIndex = 0;
  node.setAttribute("role", "img");
  return node;
}

function makeMark([mark]) {
  const node = element("span", `mark ${mark.kind}`, GLYPHS[mark.kind] ?? "•");
  node.setAttribute("role", "img");
  return node;
}

function say(node, words) {
  attribute(node, "aria-label", words);
  node.dataset.tip = words;
  if (!tip.hidden && (node === document.activeElement || node.matches(":hover"))) showTip(node);
}

const share = (ms, view) => Math.min(100, Math.max(0, ((ms - view.from) / (view.to - view.from)) * 100));

function stretch(node, from, to, view) {
  node.style.left = `${share(from, view)}%`;
  node.style.width = `${share(to, view) - share(from, view)}%`;
}
