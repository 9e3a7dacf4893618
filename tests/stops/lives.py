"""Random lives of a guarded bot: its real objects, Freqtrade's trades, an exchange on paper.

A life is a list of events, each a tuple of a name and its numbers; every event makes sense at any
time, so that a life can be shortened. `python -m tests.stops.lives 5000` lives a campaign and
prints the shortest form of what failed; its seed and number name the life.
"""

import argparse
import logging
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from freqtrade.exceptions import TemporaryError
from freqtrade.persistence import Order, Trade, init_db
from sqlalchemy import select

from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.reconciliation.schedule import STOPS_S
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError
from tests.stops.account import NEAR, Account
from tests.stops.hand_clock import HandClock
from tests.stops.paper import BTC, ETH, LOST, refusal
from tests.stops.paper_bot import PaperBot, config_of

Event = tuple[Any, ...]
_TRADE_IDS = select(Trade.id)
PAIRS = (BTC, ETH)
#: Seconds between two acts of the guard's threads.
TICK_S = 1.0
#: Seconds between two loops of the bot.
LOOP_S = 5
#: Seconds after a fault's end by which a position is covered or closed: two loops, what the rules
#: try a stop for, and the deadline of a naked position.
NAKED_S = 25.0
#: The same of a position that no trade accounts for: the exchange may take its time to show one.
STRANGER_NAKED_S = 45.0
#: Seconds an answer takes.
ANSWER_S = 0.02
#: Seconds of calm in which all that can be done is done, and strides, of seconds each, in which
#: what needs the longest evidence is believed.
CALM_S, STRIDES, STRIDE_S = 20, 5, 15.0
#: Events of a life.
LONG = 40


_GUARDS_LOG = logging.getLogger("qt_protections")


class Fault(AssertionError):  # noqa: N818  states the fact
    """Something happened that never must."""


class Killed(BaseException):
    """The process is gone, at whatever it was."""


class _Swallowed(logging.Handler):
    """Notes what failed with a traceback and was only logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info is not None else None
        if error is not None and not isinstance(error, RequestError):  # those were ordered
            self.texts.append(f"{record.getMessage()}: {error!r}")


@dataclass
class _Naked:
    """Since when a pair stands without cover, and when a fault last had a hand in it.

    Attributes:
        since: Since when not even the bot's own part is covered.
        in_part_since: Since when the whole is not, with what is somebody else's.
        troubled: When a fault last had a hand in it.
    """

    since: float | None = None
    in_part_since: float | None = None
    troubled: float = 0.0

    def bare_s(self, since: float | None, now: float) -> float:
        """Return for how many seconds nothing excuses what has been so since a moment."""
        return 0.0 if since is None else now - max(since, self.troubled)


class Life:
    """One account, one database, and the bots that live on them one after the other."""

    def __init__(self, folder: Path, clock: HandClock, placement: str = "auto") -> None:
        self._folder, self._clock, self._placement = folder, clock, placement
        init_db("sqlite://")
        self.paper = Account(clock.now_ms)
        self.paper.on_event = self._told
        self.paper.troubled = self._troubled
        self.paper.between = partial(clock.sleep, ANSWER_S / 2)
        self._stream = "live"
        self.paper.is_heard = lambda: self._stream == "live"
        self.paper.is_followed = self._is_followed
        self.paper.is_on_record = _is_on_record
        self._events: list[OrderEvent] = []
        self._ends: list[tuple[float, Callable[[], None]]] = []
        self.bot: PaperBot | None = None
        self._acts, self._act_at, self._looped = False, 0.0, 0.0
        self._naked = {pair: _Naked() for pair in PAIRS}
        self._swallowed = _Swallowed()
        clock.passing = self._passing
        _GUARDS_LOG.addHandler(self._swallowed)
        _GUARDS_LOG.propagate = False
        self._act(self._rise)

    def close(self) -> None:
        """Let go of what is the process's own."""
        _GUARDS_LOG.removeHandler(self._swallowed)
        _GUARDS_LOG.propagate = True
        self._clock.passing = lambda: None
        Trade.session.rollback()
        Trade.session.remove()

    def happen(self, event: Event) -> None:
        """Let something happen, and look for what must not.

        Raises:
            Fault: If it is found.
        """
        name, *numbers = event
        self._act(partial(self._clock.sleep, ANSWER_S))
        self._act(partial(getattr(self, name), *numbers))
        self._act(self._hear_if_live)
        self._judge()

    # Trading

    def enter(
        self, pair: str, amount: float, is_short: bool, at_market: bool, share: float
    ) -> None:
        signed = -amount if is_short else amount
        trade = self.bot.trade(pair)
        if trade is not None:
            signed = -amount if trade.is_short else amount
        theirs = self.paper.size[pair] - self.paper.own[pair]
        if theirs * signed < 0 or self.paper.comes(pair) * signed < 0:
            return  # somebody holds the other side: one-way mode is not shared
        self.paper.share = share
        self.bot.enter(pair, signed, at_market=at_market)

    def fill(self, pair: str, amount: float) -> None:
        for order in self._resting(pair)[:1]:
            left = order["amount"] - order["filled"]
            if order.get("reduceOnly"):
                left = min(left, abs(self.paper.size[pair]))
            self.paper.fill(order["id"], min(left, amount))

    def exit(self, pair: str, part: float, at_market: bool) -> None:
        self.bot.exit(pair, part or None, at_market=at_market)

    def called_off(self, pair: str) -> None:
        for order in self._resting(pair)[:1]:
            order["status"] = "canceled"
            self.paper._tell_order(order)

    def forget(self, pair: str) -> None:
        if self.bot.trade(pair) is None:
            return
        try:
            self.bot.forget(pair)
        finally:  # a kill may come right after
            if self.bot.trade(pair) is None:
                self.paper.forget(pair)

    # Time and prices

    def wait(self, seconds: int) -> None:
        for second in range(seconds):
            self._clock.sleep(1.0)
            if second % LOOP_S == LOOP_S - 1:
                self._loop()
            self._judge()

    def loop(self) -> None:
        self._clock.sleep(1.0)
        self._loop()

    def move(self, pair: str, change: int) -> None:
        price = self.paper.prices[pair] = max(20.0, self.paper.prices[pair] + change)
        for stop in self.paper.live(pair):
            passed = (
                price >= stop["stopPrice"] if stop["side"] == "buy" else price <= stop["stopPrice"]
            )
            if passed:
                self.paper.trigger(stop["id"])

    def tighten(self, pair: str, percent: int) -> None:
        self.bot.tighten(pair, percent / 100)

    # Stops

    def stop_ends(self, pair: str, which: int, how: str) -> None:
        for stop in _nth(self.paper.live(pair), which):
            self.paper.end(stop["id"], how)

    def stop_fires(self, pair: str, which: int, share: float) -> None:
        for stop in _nth(self.paper.live(pair), which):
            self.paper.unheard[pair] += 1
            stop["by another"] = 1
            self.paper.trigger(stop["id"], share)

    def dead_on_arrival(self, how: str) -> None:
        self.paper.dead_on_arrival.append(how)

    def untold(self, pair: str, which: int, seconds: int) -> None:
        for stop in _nth(self.paper.live(pair), which):
            self.paper.untold.add(stop["id"])
            self._for(seconds, partial(self.paper.untold.discard, stop["id"]))

    def fires_unknown(self, pair: str, is_named: bool, seconds: int) -> None:
        if is_named:
            known = set(self.paper.orders)
            self._view(
                "find_order", lambda o: o if o is None or o["id"] in known else None, seconds
            )
        else:
            self._view("find_stop", lambda o: o and {**o, "info": {"actualOrderId": ""}}, seconds)
        self.stop_fires(pair, 0, 0.5)

    # Answers

    def refuse(self, method: str, code: int, times: int) -> None:
        outcome = Outcome.NOT_EXECUTED if code == -1008 else Outcome.REFUSED
        self.paper.before[method].extend([refusal(code, outcome)] * times)

    def lose(self, method: str, is_executed: bool, times: int) -> None:
        queue = self.paper.after if is_executed else self.paper.before
        queue[method].extend([LOST] * times)

    def delay(self, method: str, seconds: int) -> None:
        self.paper.late[method].append(float(seconds))

    def outage(self, service: str, is_silent: bool, seconds: int) -> None:
        error = LOST if is_silent else refusal(-1008, Outcome.NOT_EXECUTED)
        for method in SERVICES[service]:
            self.paper.failing[method] = error
            self._for(seconds, partial(self.paper.failing.pop, method, None))

    # Lists

    def shows_nothing(self, what: str, seconds: int) -> None:
        self._view(what, lambda answer: type(answer)(), seconds)

    def shows_part(self, what: str, missing: str, seconds: int) -> None:
        self._view(what, partial(_without, missing), seconds)

    def shows_the_past(self, what: str, seconds: int) -> None:
        before = {
            "positions": self.paper.held(),
            "account_positions": set(self.paper.held()),
            "open_stops": [dict(order) for order in self.paper.live()],
            "orders_since": [dict(order) for order in self.paper.orders.values()],
        }[what]
        self._view(what, lambda _: before, seconds)

    # Events of the stream

    def stream(self, how: str) -> None:
        self._stream = how
        if how in ("dead", "down"):
            self._events.clear()
        self.bot.monitor.connect(how != "down")

    def hear(self, which: int, is_kept: bool) -> None:
        for event in _nth(self._events, which):
            if not is_kept:
                self._events.remove(event)
            self._hear(event)

    # Ends of the process

    def kill(self) -> None:
        raise Killed

    def kill_at(self, method: str, is_executed: bool) -> None:
        (self.paper.after if is_executed else self.paper.before)[method].append(Killed())

    def restart(self) -> None:
        self.bot.end()
        self._forgets()
        self.bot = None
        self._rise()

    def lose_database(self) -> None:
        self._bury()
        init_db("sqlite://")
        for pair in PAIRS:
            self.paper.forget(pair)
        self._rise()

    # Other hands

    def by_hand(self, pair: str, amount: float) -> None:
        own = self.paper.own[pair] + sum(map(_signed_rest, self._resting(pair)))
        waits = own * amount < 0 and self._resting(pair)
        if waits or self.paper.comes(pair) * amount < 0:
            return  # what waits would meet a position of the other side
        self.paper.by_hand(pair, amount)

    def stop_by_hand(self, pair: str) -> None:
        size = self.paper.size[pair]
        if size and abs(size) <= self.paper.most[pair]:
            trigger = self.paper.prices[pair] * (1.1 if size < 0 else 0.9)
            name = f"web_{len(self.paper.stops)}"
            stop = self.paper.stops[self.paper.stray_stop(pair, size, trigger, name)]
            stop["info"]["orderType"] = "STOP_MARKET"

    def deleverage(self, pair: str, amount: float) -> None:
        if size := self.paper.size[pair]:
            taken = min(amount, abs(size))
            self.paper.by_hand(pair, taken if size < 0 else -taken, "adl_autoclose")

    def limit_size(self, pair: str, most: float) -> None:
        self.paper.most[pair] = most

    # The end of all faults

    def calm(self) -> None:
        paper = self.paper
        for each in (paper.before, paper.after, paper.late, paper.failing, paper.views):
            each.clear()
        paper.untold.clear()
        paper.dead_on_arrival.clear()
        paper.share = 1.0
        for _, end in self._ends:
            end()
        self._ends.clear()
        self.wait(12)
        self.stream("down")
        self.stream("live")
        self.wait(CALM_S)
        for _ in range(STRIDES):
            self._clock.sleep(STRIDE_S)
            self._loop()
        flat = [pair for pair in PAIRS if not (self.paper.size[pair] or self._resting(pair))]
        if any(_of_the_bot(self.paper.live(pair)) for pair in flat):
            # A stop that came late, and that nobody needs, stands until the next look at all. What
            # Freqtrade calls off after so long takes another loop.
            self._clock.sleep(STOPS_S)
            self.wait(3 * LOOP_S)
        for pair in PAIRS:
            self._judge_calm(pair)

    # Inside

    def _loop(self) -> None:
        self.bot.loop()
        self._looped = self._clock.now
        if not self.paper.is_faulty and self._stream == "live":
            for each in (self.paper.unbooked, self.paper.bought, self.paper.unclear):
                each.clear()

    def _born(self) -> PaperBot:
        self._clock.sleep(2.0)  # a process takes its time
        bot = PaperBot(self._folder, self.paper, self._clock.sleep, stop_placement=self._placement)
        bot.monitor.connect(self._stream != "down")
        return bot

    def _rise(self) -> None:
        while self.bot is None:
            with suppress(TemporaryError):  # Freqtrade does not start then, and is started again
                self.bot = self._born()
        self.bot.start()

    def _bury(self) -> None:
        self.bot = None
        self._forgets()
        Trade.rollback()
        self.paper.forget_round_trips()
        Trade.session.remove()

    def _forgets(self) -> None:
        """Note that a process that ends forgets what it heard."""
        self.paper.unheard_of |= self.paper.unbooked
        self.paper.put_back |= self.paper.bought
        self.paper.conceded |= {pair: some for pair, some in self.paper.unclear.items() if some}

    def _act(self, act: Callable[[], None]) -> None:
        """Act; who is killed is born again, over the same database and exchange."""
        while True:
            try:
                return act()
            except Killed:
                self._bury()
                act = self._rise

    def _passing(self) -> None:
        now = self._clock.now
        self.paper.arrive()
        due = [end for at, end in self._ends if at <= now]
        self._ends = [each for each in self._ends if each[0] > now]
        for end in due:
            end()
        for pair, naked in self._naked.items():
            # Only the bot's loop finds what is on no record; Freqtrade's questions may hold it up.
            is_looked_for = now - self._looped < 2 * LOOP_S
            is_own_bare = not self.paper.is_own_covered(pair)
            is_seen = is_looked_for or self._is_known(pair)
            naked.since = _since(naked.since, now, is_so=is_own_bare and is_seen)
            # What is somebody else's is never closed: only a stop can cover it.
            is_bare = not self.paper.is_covered(pair) and "place_stop" not in self.paper.failing
            is_bare = is_bare and is_looked_for
            naked.in_part_since = _since(naked.in_part_since, now, is_so=is_bare)
            if self._is_faulty():
                naked.troubled = now

        self._between_loops(now)

    def _between_loops(self, now: float) -> None:
        """Let the guard's own threads act while the bot's waits, for an answer or the next loop."""
        if self._acts or self.bot is None or now < self._act_at:
            return
        self._act_at = now + TICK_S
        self._acts = True
        try:
            self._hear_if_live()
            self.bot.monitor.tick()
        finally:
            self._acts = False

    def _is_known(self, pair: str) -> bool:
        return self.bot is not None and self.bot.monitor.book.of(pair).required_stop is not None

    def _is_faulty(self) -> bool:
        """Whether nobody can cover a position now, nor close it, nor see that he has to."""
        paper = self.paper
        is_shut = "place_stop" in paper.failing and "close" in paper.failing
        return bool(is_shut or "open_stops" in paper.views or paper._on_the_way)

    def _troubled(self) -> None:
        for naked in self._naked.values():
            naked.troubled = self._clock.now

    def _for(self, seconds: int, end: Callable[[], object]) -> None:
        self._ends.append((self._clock.now + seconds, lambda: void(end())))

    def _view(self, what: str, view: Callable[[Any], Any], seconds: int) -> None:
        self.paper.views[what] = view
        self._for(seconds, partial(self.paper.views.pop, what, None))

    def _is_followed(self, entry: CcxtOrder) -> bool:
        """Whether an entry's stop follows its fill."""
        if self.bot is None:
            return False
        book = self.bot.monitor.book
        pending = book.of(entry["symbol"]).pending_of(entry["id"], entry["clientOrderId"])
        return pending is not None and not pending.stop_first

    def _resting(self, pair: str) -> list[CcxtOrder]:
        return [
            order
            for order in self.paper.orders.values()
            if order["symbol"] == pair and order["status"] == "open"
        ]

    def _told(self, event: OrderEvent) -> None:
        if self._stream in ("live", "late"):
            self._events.append(event)

    def _hear_if_live(self) -> None:
        events, self._events = self._events, []
        for event in events:
            if self._stream == "live" and not self.bot.monitor.is_busy(event.pair):
                self._hear(event)
            else:
                self._events.append(event)

    def _hear(self, event: OrderEvent) -> None:
        if self.bot.monitor.runs:
            self.bot.monitor.hear(event)
        if event.conditional:
            self.paper.heard(event)

    # What must not be

    def _judge(self) -> None:
        if self._swallowed.texts:
            raise Fault(f"failed inside: {self._swallowed.texts.pop()}")
        if self.paper.wrongs:
            raise Fault(self.paper.wrongs[0])
        if self.paper.laid_bare:
            raise Fault(f"{self.paper.laid_bare[0]} was laid bare by a cancel")
        for pair, naked in self._naked.items():
            if self.paper.is_covered(pair):
                continue
            own_s = naked.bare_s(naked.since, self._clock.now)
            whole_s = naked.bare_s(naked.in_part_since, self._clock.now)
            if own_s > NAKED_S or whole_s > STRANGER_NAKED_S:
                bare_s = max(own_s, whole_s)
                raise Fault(f"{pair} {self._state(pair)} naked {bare_s:.0f} s after the last fault")

    def _judge_calm(self, pair: str) -> None:
        self._judge_books(pair)
        self._judge_cover(pair)
        self._judge_record(pair)

    def _judge_books(self, pair: str) -> None:
        paper, trade = self.paper, self.bot.trade(pair)
        booked = 0.0
        if trade is not None:
            booked = -trade.amount if trade.is_short else trade.amount
            # Freqtrade adds an order to its trade once it is over.
            booked += sum(_signed(order, order["filled"]) for order in self._resting(pair))
            if not trade.has_open_position:  # what closed some of it waits with the guard till then
                fills = self.bot.monitor.book.of(pair).ledger.unbooked_fills
                waiting = sum(fill.amount for fill in fills)
                booked += waiting if trade.is_short else -waiting
        # Of what a deleted trade held, a new one may take up again what nobody can have closed:
        # that others traded their own part is not known where no database tells whose is what. And
        # what others took and put back unheard is the trade's again, for all the bot can see.
        again = round(booked - paper.own[pair], 9)
        most = paper.orphaned[pair] + paper.put_back[pair]
        if again * most > 0 and abs(again) <= abs(most) + NEAR:
            paper.own[pair] = booked
            paper.orphaned[pair] = _less(paper.orphaned[pair], again)
        elif again * paper.own[pair] < 0 and abs(again) <= paper.conceded[pair] + NEAR:
            paper.own[pair] = booked  # the rest counts as somebody else's, and is covered
        elif abs(again) > NEAR:
            raise Fault(f"{pair} {self._state(pair)}: its trade books {booked:g}")
        paper.put_back[pair] = paper.unheard_of[pair] = paper.conceded[pair] = 0.0

    def _judge_cover(self, pair: str) -> None:
        paper, size = self.paper, abs(self.paper.size[pair])
        if not paper.is_covered(pair):
            raise Fault(f"{pair} {self._state(pair)} is naked in calm")
        live = _of_the_bot(paper.live(pair))
        # Freqtrade books an exit when that is over: until then the stop is for what it filled too.
        waiting = sum(
            order["filled"] if order.get("reduceOnly") else abs(_signed_rest(order))
            for order in self._resting(pair)
        )
        if not size and not waiting:
            if live:
                raise Fault(f"{pair} is flat, and {len(live)} stops are left over")
            return
        amounts = [stop["amount"] for stop in live]  # oldest first: the newest stay
        if len(amounts) > 1 and sum(amounts[1:]) >= size + waiting - NEAR:
            raise Fault(f"{pair} {self._state(pair)} has more stops than it needs: {amounts}")

    def _judge_record(self, pair: str) -> None:
        for row in Order.session.scalars(select(Order).where(~Order.ft_trade_id.in_(_TRADE_IDS))):
            raise Fault(f"{row.ft_pair}: order {row.order_id} is on record of no trade")
        for order in self._resting(pair):
            row = Order.order_by_id(order["id"], pair)
            if order.get("reduceOnly") and row is not None and not row.trade.is_open:
                raise Fault(f"{pair}: exit {order['id']} rests though its trade is closed")
        for order in self.paper.orders.values():
            name = order["clientOrderId"]
            is_entry = name.startswith("qt") and name[7] == "E"
            if order["symbol"] != pair or not is_entry or not order["filled"]:
                continue
            row = Order.order_by_id(order["id"], pair)
            if row is None and not order.get("forgotten"):
                raise Fault(f"{pair}: entry {order['id']} filled and is on no record")

    def _state(self, pair: str) -> str:
        paper = self.paper
        return (
            f"(position {paper.size[pair]:g}, own {paper.own[pair]:g}, "
            f"orphaned {paper.orphaned[pair]:g})"
        )


def void(_: object) -> None:
    """Return nothing."""


def _since(before: float | None, now: float, *, is_so: bool) -> float | None:
    """Return since when something is so; None if it is not."""
    if not is_so:
        return None
    return now if before is None else before


def _of_the_bot(stops: Sequence[CcxtOrder]) -> list[CcxtOrder]:
    return [stop for stop in stops if stop["clientOrderId"].startswith("qt")]


def _nth(found: Sequence[Any], which: int) -> list[Any]:
    return [found[which % len(found)]] if found else []


def _without(missing: str, answer: Any) -> Any:
    if isinstance(answer, dict):
        return {pair: what for pair, what in answer.items() if pair != missing}
    if isinstance(answer, set):
        return answer - {missing}
    return [order for order in answer if order["symbol"] != missing]


def _less(held: float, taken: float) -> float:
    """Return what is left of something signed; nothing if more is taken of it."""
    return 0.0 if abs(taken) >= abs(held) else round(held - taken, 9)


def _is_on_record(order: CcxtOrder) -> bool:
    return Order.order_by_id(order["id"], order["symbol"]) is not None


def _signed_rest(order: CcxtOrder) -> float:
    if order.get("reduceOnly"):
        return 0.0
    return _signed(order, order["amount"] - order["filled"])


def _signed(order: CcxtOrder, amount: float) -> float:
    return amount if order["side"] == "buy" else -amount


SERVICES = {
    "stops": ("place_stop", "cancel", "open_stops", "find_stop"),
    "orders": ("create_order", "close", "cancel_order", "find_order", "orders_since"),
    "account": ("positions", "account_positions"),
}

_CODES = (-2021, -2022, -4509, -1111, -2019, -4116, -9999, -1008, -4045)
_METHODS = (
    "place_stop",
    "cancel",
    "find_stop",
    "find_order",
    "close",
    "open_stops",
    "cancel_order",
    "create_order",
    "positions",
    "orders_since",
)
_LISTS = ("positions", "positions", "positions", "account_positions", "open_stops", "orders_since")

Draw = Callable[[random.Random], Event]


def _pair(r: random.Random) -> str:
    return BTC if r.random() < 0.8 else ETH


#: By group: what can happen, and how often beside the others.
GROUPS: dict[str, list[tuple[int, Draw]]] = {
    "trade": [
        (
            6,
            lambda r: (
                "enter",
                _pair(r),
                float(r.randint(1, 3)),
                r.random() < 0.4,
                r.random() < 0.5,
                r.choice((1.0, 1.0, 0.5, 0.0)),
            ),
        ),
        (3, lambda r: ("fill", _pair(r), r.choice((0.5, 1.0, 3.0)))),
        (2, lambda r: ("exit", _pair(r), r.choice((0.0, 0.5, 1.0)), r.random() < 0.8)),
        (1, lambda r: ("called_off", _pair(r))),
    ],
    "time": [
        (3, lambda r: ("loop",)),
        (3, lambda r: ("wait", r.choice((1, 3, 6, 15)))),
        (2, lambda r: ("move", _pair(r), r.randint(-4, 4))),
        (1, lambda r: ("tighten", _pair(r), r.randint(1, 4))),
        (1, lambda r: ("calm",)),
    ],
    "stops": [
        (
            2,
            lambda r: (
                "stop_ends",
                _pair(r),
                r.randint(0, 2),
                r.choice(("canceled", "rejected", "expired")),
            ),
        ),
        (2, lambda r: ("stop_fires", _pair(r), r.randint(0, 2), r.choice((1.0, 0.5)))),
        (1, lambda r: ("untold", _pair(r), r.randint(0, 2), r.choice((2, 8, 20)))),
    ],
    "answers": [
        (2, lambda r: ("refuse", r.choice(_METHODS), r.choice(_CODES), r.randint(1, 3))),
        (3, lambda r: ("lose", r.choice(_METHODS), r.random() < 0.5, r.randint(1, 3))),
    ],
    "late": [(2, lambda r: ("delay", r.choice(("create_order", "place_stop")), r.randint(1, 9)))],
    "stream": [
        (2, lambda r: ("stream", r.choice(("live", "late", "dead", "down")))),
        (3, lambda r: ("hear", r.randint(0, 3), r.random() < 0.3)),
    ],
    "kills": [
        (1, lambda r: ("kill",)),
        (2, lambda r: ("kill_at", r.choice(_METHODS), r.random() < 0.5)),
        (1, lambda r: ("restart",)),
    ],
    "hands": [
        (2, lambda r: ("by_hand", _pair(r), float(r.choice((-3, -2, -1, 1, 2, 3))))),
        (1, lambda r: ("stop_by_hand", _pair(r))),
        (2, lambda r: ("deleverage", _pair(r), r.choice((0.5, 1.0, 9.0)))),
    ],
    "delete": [(1, lambda r: ("forget", _pair(r)))],
    "dead": [(1, lambda r: ("dead_on_arrival", r.choice(("rejected", "expired"))))],
    "child": [(1, lambda r: ("fires_unknown", _pair(r), r.random() < 0.5, r.choice((3, 15, 40))))],
    "lists": [
        (2, lambda r: ("shows_nothing", r.choice(_LISTS), r.choice((1, 10, 40)))),
        (2, lambda r: ("shows_part", r.choice(_LISTS), _pair(r), r.choice((1, 10, 40)))),
        (1, lambda r: ("shows_the_past", r.choice(_LISTS), r.choice((1, 5, 25)))),
    ],
    "services": [
        (
            2,
            lambda r: (
                "outage",
                r.choice(("stops", "stops", "orders", "account")),
                r.random() < 0.5,
                r.choice((2, 10, 60)),
            ),
        ),
    ],
    "size": [(1, lambda r: ("limit_size", _pair(r), r.choice((1.0, 2.0))))],
    "database": [(1, lambda r: ("lose_database",))],
}
#: Without these nothing lives.
_ALWAYS = ("trade", "time")


def draw(seed: str, groups: Sequence[str], long: int = LONG) -> list[Event]:
    """Return the life of a seed, of some of the groups: a fault hides behind another's noise."""
    r = random.Random(seed)  # noqa: S311  nothing is to be kept secret
    others = [group for group in groups if group not in _ALWAYS]
    some = [group for group in others if r.random() < 2.5 / max(2.5, len(others))]
    choices = [each for group in (*_ALWAYS, *some) for each in GROUPS[group]]
    weights, draws = zip(*choices, strict=True)
    placement = r.choice(("auto", "auto", "on_fill"))
    return [("begin", placement), *(d(r) for d in r.choices(draws, weights, k=long)), ("calm",)]


def live(events: Sequence[Event], folder: Path) -> None:
    """Live a life.

    Raises:
        Fault: If something happened that never must; of anything else, it is the cause.
    """
    clock = HandClock()
    with clock.in_place():
        life = Life(folder, clock, events[0][1])
        try:
            for number, event in enumerate(events[1:]):
                try:
                    life.happen(event)
                except Fault as fault:
                    raise Fault(f"event {number} {event}: {fault}") from fault
                except Exception as error:
                    raise Fault(f"event {number} {event}: {error!r}") from error
        finally:
            life.close()


def shorten(events: list[Event], fails: Callable[[list[Event]], bool]) -> list[Event]:
    """Return a life that fails as well, and of which no event can be left out."""
    size = len(events) // 2
    while size:
        at = 1  # how it begins is part of it
        while at < len(events):
            without = events[:at] + events[at + size :]
            if fails(without):
                events = without
            else:
                at += size
        size //= 2
    return events


def failure(events: Sequence[Event], folder: Path) -> str:
    """Return what a life fails with; empty if it does not."""
    try:
        live(events, folder)
    except Fault as fault:
        return str(fault)
    return ""


def _kind(text: str) -> str:
    """Return what a failure is like, whatever its numbers: a shorter life has to fail alike."""
    return re.sub(r"[-\d.]+|BTC|ETH", "", text.rpartition(": ")[2])


@contextmanager
def quiet(folder: Path) -> Iterator[None]:
    """Let nothing be logged but the guard's errors, which are looked for."""
    with redirect_stderr(StringIO()), redirect_stdout(StringIO()):
        config_of(folder)
    freqtrade, before = logging.getLogger("freqtrade"), logging.root.manager.disable
    logging.disable(logging.WARNING)
    freqtrade.propagate, nowhere = False, logging.NullHandler()
    freqtrade.addHandler(nowhere)
    try:
        yield
    finally:
        logging.disable(before)
        freqtrade.removeHandler(nowhere)
        freqtrade.propagate = True


def campaign(
    seed: str, lives: Sequence[int], groups: Sequence[str], folder: Path, long: int = LONG
) -> tuple[int, list[Event], str] | None:
    """Live some lives; return the first that fails, with its number and what it fails with."""
    for number in lives:
        events = draw(f"{seed}-{number}", groups, long)
        if text := failure(events, folder):
            return number, events, text
    return None


def main() -> int:
    """Live a campaign, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lives", type=int)
    parser.add_argument("--seed", default=str(time.time_ns() % 1_000_000))
    parser.add_argument("--first", type=int, default=0, help="number of the first life")
    parser.add_argument("--without", nargs="*", default=[], choices=sorted(GROUPS))
    parser.add_argument("--only", nargs="*", default=sorted(GROUPS), choices=sorted(GROUPS))
    parser.add_argument("--faults", type=int, default=1, help="how many to find before the end")
    parser.add_argument("--long", type=int, default=LONG, help="events of a life")
    args = parser.parse_args()
    groups = [group for group in args.only if group not in args.without]
    print(f"seed {args.seed}, groups {' '.join(groups)}", flush=True)
    first, end, found = args.first, args.first + args.lives, 0
    with TemporaryDirectory() as folder, quiet(Path(folder)):
        while first < end and found < args.faults:
            last = min(first + 10, end)
            fault = campaign(args.seed, range(first, last), groups, Path(folder), args.long)
            if fault is None:
                first = last
                print(f"{first - args.first} lives", flush=True)
                continue
            found += 1
            first = fault[0] + 1
            _tell_fault(fault, args.seed, Path(folder))
    print(f"{first - args.first} lives, {found} faults, seed {args.seed}")
    return 1 if found else 0


def _tell_fault(fault: tuple[int, list[Event], str], seed: str, folder: Path) -> None:
    number, events, text = fault
    print(f"life {seed}-{number}: {text}", flush=True)
    shortest = shorten(events, lambda some: _kind(failure(some, folder)) == _kind(text))
    print(f"  {failure(shortest, folder)}")
    for event in shortest:
        print(f"    {event!r},", flush=True)


if __name__ == "__main__":
    sys.exit(main())
