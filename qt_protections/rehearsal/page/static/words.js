// Numbers and happenings in the words of a trader.

export const CAUSES = {
  opened_before_stop: "opened before a stop was live",
  grew_beyond_stop: "grew beyond its stop",
  stop_canceled: "stop cancelled by the client",
  stop_withdrawn: "stop taken away by the exchange or someone else",
  stop_expired: "stop expired",
  stop_refused_at_trigger: "stop refused at its trigger",
  stop_left_rest: "stop triggered, but its order left a rest",
};

const EXITS = {
  stop: "its stop", trailing: "a trailing stop", take_profit: "a take-profit",
  market: "a market order", limit: "a limit order", liquidation: "LIQUIDATION", adl: "AUTO-DELEVERAGING",
};
export const exitWords = (exit) => EXITS[exit] ?? exit ?? "";

const decimals = new Map();
export const learnDecimals = (prices) => prices.forEach((p) => decimals.set(p.symbol, p.decimals));

const grouped = (value, digits) =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const price = (symbol, value) =>
  value === null || value === undefined || Number.isNaN(Number(value))
    ? "–" : grouped(Number(value), decimals.get(symbol) ?? 2);
export const size = (value) =>
  value === null || value === undefined
    ? "whole position" : Number(value).toLocaleString("en-US", { maximumFractionDigits: 8 });
export const money = (value) => grouped(value, 2);
export const signed = (value, digits = 2) => `${value < 0 ? "−" : "+"}${grouped(Math.abs(value), digits)}`;
export const percent = (ratio, digits = 2) => `${signed(ratio * 100, digits)} %`;
export const plainPercent = (ratio, digits = 2) => `${grouped(ratio * 100, digits)} %`;
export const clock = (ms, withMs = false) => new Date(ms).toISOString().slice(11, withMs ? 23 : 19);
export const plural = (count, one, many = `${one}s`) => `${grouped(count, 0)} ${count === 1 ? one : many}`;

export function seconds(value) {
  if (value === 0) return "0 s";
  if (value < 60) return `${grouped(value, value < 10 ? 2 : 1)} s`.replace("0.00 s", "< 0.01 s");
  const whole = Math.floor(value);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h} h ${m} min` : `${m} min ${s} s`;
}

export const codes = (refusals) =>
  Object.entries(refusals).map(([code, count]) => (count > 1 ? `${code} ×${count}` : code)).join(", ");

export function gapWords(gap) {
  const lines = [`Naked for ${seconds(gap.seconds)}: ${CAUSES[gap.cause] ?? gap.cause}.`,
    `${size(gap.uncovered_qty)} without a stop from ${clock(gap.start_ms, true)}` +
    (gap.end_ms === null ? ", still now." : ` to ${clock(gap.end_ms, true)}.`)];
  const ends = {
    stop_accepted: "Ended when a stop was accepted.",
    position_reduced: "Ended when the position shrank to the size of its stops.",
    position_closed: `Ended when ${exitWords(gap.exit)} closed the position.`,
  };
  if (gap.ended_by) lines.push(ends[gap.ended_by] ?? gap.ended_by);
  if (Object.keys(gap.refusals).length) lines.push(`Stop requests refused meanwhile: ${codes(gap.refusals)}.`);
  return lines.join("\n");
}

const KINDS = {
  order_accepted: "order accepted", order_rejected: "ORDER REFUSED", order_filled: "filled",
  order_canceled: "order cancelled", order_expired: "order expired",
  stop_accepted: "accepted", stop_rejected: "REFUSED", stop_dead: "DEAD ON ARRIVAL", stop_triggered: "triggered",
  stop_released: "sent its order", stop_finished: "done",
  stop_refused_at_trigger: "REFUSED AT ITS TRIGGER", stop_canceled: "cancelled",
  stop_expired: "expired", stop_withdrawn: "TAKEN AWAY", funding: "funding",
};
export const isBad = (event) => /reject|refused|withdrawn|dead/.test(event.kind) || ["liquidation", "adl"].includes(event.cause);

export function eventWords(event) {
  const words = [event.symbol];
  if (event.kind === "funding") return `${event.symbol} funding, ${signed(-Number(event.fee))} USDT`;
  if (event.type) words.push(event.type);
  words.push(KINDS[event.kind] ?? event.kind.replaceAll("_", " "));
  if (event.side) words.push(event.side);
  if (event.quantity !== undefined) words.push(size(event.quantity));
  if (Number(event.price)) words.push("at", price(event.symbol, event.price));
  if (event.cause) words.push(`(${event.cause})`);
  if (event.code !== undefined) words.push(`code ${event.code}`);
  if (event.reason) words.push(`“${event.reason}”`);
  if (event.client_id) words.push(`· ${event.client_id}`);
  return words.join(" ");
}
