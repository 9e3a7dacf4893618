// The page: asks the exchange for its state twice a second, while it is looked at.

import { attribute, byId, element, keyed, line, table, text } from "./dom.js";
import { drawTimeline } from "./timeline.js";
import {
  CAUSES, clock, codes, eventWords, isBad, learnDecimals, money, percent, plainPercent, plural,
  price, seconds, signed, size,
} from "./words.js";

const POLL_MS = 500;
const RETRY_MS = 1_000;
const PATIENCE_MS = 3_000;
const MOST_ENDPOINTS = 6;

function verdict(state) {
  const { summary, coverage } = state;
  const count = summary.closed + summary.open;
  const naked = coverage.filter((p) => p.gaps.length && p.gaps.at(-1).end_ms === null);
  if (naked.length) {
    const gap = naked[0].gaps.at(-1);
    const more = naked.length > 1 ? ` And ${naked.length - 1} more.` : "";
    return ["bad", "!", `${naked[0].symbol} ${naked[0].side} is naked now`,
      `${size(gap.uncovered_qty)} without a stop for ${seconds(gap.seconds)}: ${CAUSES[gap.cause] ?? gap.cause}.${more}`];
  }
  if (!count) return ["idle", "…", "No position yet", "The verdict begins with the first entry."];
  const before = `${summary.stops_live_before_entry} of ${plural(count, "position")} had the stop live before the entry`;
  if (summary.naked_s.max > 0) {
    const causes = Object.entries(summary.naked_by_cause)
      .map(([cause, total]) => `${seconds(total.seconds)} ${CAUSES[cause] ?? cause}`);
    return ["bad", "!", `A position stood naked for ${seconds(summary.naked_s.max)}`, `${before}. Naked in all: ${causes.join("; ")}.`];
  }
  return ["good", "✓", "No position was ever naked", `${before}.`];
}

function tiles({ summary }) {
  const { stops, orphans, slippage, losses } = summary;
  const count = summary.closed + summary.open;
  const profit = summary.realized_pnl - summary.fees - summary.funding - summary.insurance;
  const late = count - summary.stops_live_before_entry;
  const refused = stops.rejected + stops.rejected_at_trigger;
  return [
    ["Longest naked time", seconds(summary.naked_s.max), count ? `half of the positions: at most ${seconds(summary.naked_s.p50)}` : "no position yet",
      summary.naked_s.max > 0 ? "bad" : count ? "good" : ""],
    ["Covered before entry", `${summary.stops_live_before_entry} of ${count}`, late ? `${late} opened without a live stop` : "stop first, entry second",
      late ? "bad" : count ? "good" : ""],
    ["Stops refused", String(refused), refused ? [stops.rejected && `code ${codes(stops.rejections)}`, stops.rejected_at_trigger && `${stops.rejected_at_trigger} at the trigger`].filter(Boolean).join(", ") : `of ${stops.requested} sent`,
      refused ? "bad" : stops.requested ? "good" : ""],
    ["Orphans", String(orphans.left_over_now), `left over; ${orphans.now - orphans.left_over_now} waiting for an entry`,
      orphans.left_over_now ? "bad" : stops.requested ? "good" : ""],
    ["Worst stop slippage", slippage.positions ? plainPercent(slippage.worst_ratio, 3) : "–",
      slippage.positions ? `mean ${plainPercent(slippage.mean_ratio, 3)}; ${money(slippage.total)} USDT in all` : "no stop was hit", ""],
    ["Worst loss", losses.planned ? `${losses.worst_ratio.toFixed(2)} × plan` : "–",
      losses.planned ? `${losses.exceeding} of ${losses.planned} beyond ${(1 + losses.tolerance_ratio).toFixed(2)} × the planned risk` : "no loss against a plan",
      losses.exceeding ? "warn" : ""],
    ["Profit after costs", `${signed(profit)} USDT`, `${plural(summary.closed, "position")} closed, fees ${money(summary.fees)}`, ""],
    ["Liquidations", String(summary.liquidations), summary.liquidations ? "the exchange closed for you" : "none", summary.liquidations ? "bad" : count ? "good" : ""],
  ];
}

const tone = (value) => (value < 0 ? "bad" : value > 0 ? "good" : "");
const stopWords = (p) => {
  if (p.covered <= 0) return ["! no stop", "bad"];
  const at = p.stop_price === null ? "live" : `${price(p.symbol, p.stop_price)} (${plainPercent(p.stop_distance_ratio)} away)`;
  return p.covered < p.quantity ? [`! ${size(p.covered)} of ${size(p.quantity)} at ${at}`, "bad"] : [`✓ ${at}`, "good"];
};

const POSITIONS = [
  ["Symbol", "", (p) => p.symbol],
  ["Side", "", (p) => p.side],
  ["Size", "number", (p) => size(p.quantity)],
  ["Entry", "number", (p) => price(p.symbol, p.entry_price)],
  ["Mark", "number", (p) => price(p.symbol, p.mark_price)],
  ["Profit, USDT", "number", (p) => [`${signed(p.unrealized)} (${percent(p.unrealized_ratio, 1)})`, tone(p.unrealized)]],
  ["Leverage", "number", (p) => `${p.leverage}×`],
  ["Liquidation", "number", (p) => (p.liquidation_price ? price(p.symbol, p.liquidation_price) : "–")],
  ["Covering stop", "", stopWords],
];
const triggerWords = (o) => {
  if (o.callback_ratio !== null) return `trails by ${plainPercent(o.callback_ratio)}`;
  return price(o.symbol, o.trigger);
};
const WAITING = [
  ["Symbol", "", (o) => o.symbol],
  ["Type", "", (o) => o.type],
  ["Side", "", (o) => o.side],
  ["Size", "number", (o) => size(o.quantity)],
];
const REST = [
  ["Can only reduce", "", (o) => (o.reduce_only ? "yes" : "no")],
  ["Since", "", (o) => clock(o.since_ms)],
  ["Client id", "long", (o) => o.client_id],
];
const ORDERS = [...WAITING, ["Price", "number", (o) => price(o.symbol, o.price)], ...REST];
const CONDITIONALS = (orphans) => {
  const states = new Map(orphans.map((o) => [o.algo_id, o.left_over ? ["! orphan, position gone", "bad"] : ["waits for an entry", ""]]));
  return [...WAITING, ["Trigger", "number", triggerWords], ["State", "", (o) => states.get(o.number) ?? ["live", ""]], ...REST];
};
const PRICES = [
  ["Symbol", "", (p) => p.symbol],
  ["Last hour", "", (p, cell) => line(cell, p.closes)],
  ["Last", "number", (p) => price(p.symbol, p.last)],
  ["Change", "number", (p) => [`${p.change_ratio < 0 ? "▼" : "▲"} ${percent(p.change_ratio)}`, tone(p.change_ratio)]],
];
const ENDPOINTS = [
  ["Busiest endpoints", "", ([name]) => name],
  ["Requests", "number", ([, count]) => count.toLocaleString("en-US")],
];

function drawTraffic({ traffic, now_ms }) {
  const minute = Math.floor(now_ms / 60_000) * 60_000;
  const byMinute = new Map(traffic.minutes.map((m) => [m.minute_ms, m]));
  const shown = [...Array(60).keys()].map((i) => {
    const ms = minute - (59 - i) * 60_000;
    return byMinute.get(ms) ?? { minute_ms: ms, requests: 0, refused: 0 };
  });
  text(byId("minute"), String(shown.at(-1).requests));
  const refusals = codes(traffic.refusals);
  text(byId("minute-note"), `this minute; most ${traffic.most_in_a_minute}; ` +
    (traffic.refused ? `${traffic.refused} refused in all (HTTP ${refusals})` : "none refused"));
  const most = Math.max(1, ...shown.map((m) => m.requests));
  keyed(byId("bars"), shown, (m) => m.minute_ms, () => element("i"), (node, m) => {
    node.style.height = `${(m.requests / most) * 100}%`;
    attribute(node, "class", m.refused ? "refused" : "");
    attribute(node, "title", `${clock(m.minute_ms).slice(0, 5)}: ${plural(m.requests, "request")}, ${m.refused} refused`);
  });
  attribute(byId("bars"), "role", "img");
  attribute(byId("bars"), "aria-label", `Requests of the latest 60 minutes, most ${most} in a minute`);
  table(byId("endpoints"), ENDPOINTS, Object.entries(traffic.endpoints).slice(0, MOST_ENDPOINTS), ([name]) => name);
}

function drawVerdict(state) {
  const [kind, badge, sentence, detail] = verdict(state);
  attribute(byId("verdict"), "class", kind);
  text(byId("badge"), badge);
  text(byId("sentence"), sentence);
  text(byId("detail"), detail);
  const make = () => {
    const tile = element("div");
    tile.append(element("dt"), element("dd", "figure"), element("dd", "note"));
    return tile;
  };
  keyed(byId("tiles"), tiles(state), (tile) => tile[0], make, (node, [name, figure, note, kindOf]) => {
    text(node.children[0], name);
    text(node.children[1], kindOf === "bad" || kindOf === "warn" ? `! ${figure}` : kindOf === "good" ? `✓ ${figure}` : figure);
    text(node.children[2], note);
    attribute(node, "class", kindOf);
  });
}

function drawEvents(events) {
  const make = () => {
    const item = element("li");
    item.append(element("time"), element("span", "what"));
    return item;
  };
  keyed(byId("events"), events.toReversed(), (e) => e.seq, make, (node, event) => {
    text(node.children[0], clock(event.ms, true));
    text(node.children[1], eventWords(event));
    attribute(node.children[1], "class", isBad(event) ? "what text-bad" : "what");
  });
  byId("events").hidden = events.length === 0;
  byId("events-empty").hidden = events.length > 0;
}

function draw(state) {
  learnDecimals(state.prices);
  text(byId("market"), state.replay ? `${state.market}, speed ${state.replay.speed}` : state.market);
  byId("faults").hidden = state.faults.length === 0;
  text(byId("faults"), `faults: ${state.faults.join(", ")}`);
  text(byId("clock"), clock(state.now_ms));
  text(byId("equity"), `${money(state.account.equity)} USDT`);
  text(byId("available"), `${money(state.account.available)} USDT`);
  drawVerdict(state);
  drawTimeline(state);
  table(byId("positions"), POSITIONS, state.positions, (p) => p.symbol);
  table(byId("orders"), ORDERS, state.orders, (o) => o.number);
  table(byId("conditionals"), CONDITIONALS(state.orphans), state.conditionals, (o) => o.number);
  table(byId("prices"), PRICES, state.prices, (p) => p.symbol);
  drawTraffic(state);
  drawEvents(state.events);
}

let lastSeen = "";
function showClosed(reason) {
  document.body.classList.add("closed");
  document.title = "closed · Rehearsal exchange";
  byId("closed").hidden = false;
  text(byId("closed"), `${reason}${lastSeen ? ` Last seen at ${lastSeen} UTC.` : ""} ` +
    "This page goes on by itself when it is back; if it was started anew, reload and accept its new certificate.");
}

function showOpen(state) {
  lastSeen = clock(state.now_ms);
  document.body.classList.remove("closed");
  document.title = state.summary.naked_now ? "NAKED · Rehearsal exchange" : "Rehearsal exchange";
  byId("closed").hidden = true;
}

async function refresh() {
  let answer;
  try {
    answer = await fetch("/_rehearsal/state", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) {
      showClosed(`The exchange answers with HTTP ${answer.status}.`);
      return RETRY_MS;
    }
    answer = await answer.json();
  } catch (error) {
    showClosed(error.name === "TimeoutError" ? "The exchange does not answer." : "Exchange closed.");
    return RETRY_MS;
  }
  showOpen(answer);
  draw(answer);
  return POLL_MS;
}

async function watch() {
  let wait = POLL_MS;
  try {
    if (document.visibilityState === "visible") wait = await refresh();
  } finally {
    setTimeout(watch, wait);
  }
}
watch();
