"""The one door every order leaves by: an entry passes it only with its stop seen to.

It stands in for `create_order` of the exchange object the bot trades with, so signals, forced
entries, position adjustments and replaced orders all meet it. An exit of an open trade passes
untouched; both get a client id, by which a lost answer is settled, where orders can be found by it.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from freqtrade.exceptions import DependencyException, InvalidOrderException
from freqtrade.exchange import Exchange
from freqtrade.persistence import LocalTrade, Trade

from qt_protections.errors import EntryFailed, EntryRefused, gate_failed, withhold_secrets
from qt_protections.portfolio.trades import open_trade
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.retry_policy import Outcome, Refusal
from qt_protections.stops.entry_cover import TRADE_CLOSED, EntryCover
from qt_protections.stops.intercept.client_ids import ClientIds
from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.venue.failures import classify
from qt_protections.stops.venue.protocol import CcxtOrder
from qt_protections.stops.venue.settling import settle

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds before each question about an order whose answer was lost.
_ASK_AFTER_S = (0.0, 0.2, 0.5, 1.0)
_PAIR_TAKEN = deny(DenyCode.PAIR_TAKEN, "the pair has got a trade meanwhile, and may have one only")


class EntryInterceptor:
    """Callable with the signature of `Exchange.create_order`."""

    def __init__(
        self,
        exchange: Exchange,
        cover: EntryCover,
        approve: Callable[[EntryRequest], ApprovedEntry],
        announce: Callable[[str, Denial], None],
        warm_up: Callable[[], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the place of `create_order`.

        Args:
            exchange: The bot's exchange.
            cover: Covers what passes.
            approve: Judges an entry, or raises.
            announce: Says of a pair why its entry was refused.
            warm_up: Opens a connection for the stop while margin type and leverage are set.
            pause: Waits for some seconds.
        """
        self._cover = cover
        self._manager = cover.manager
        self._approve = approve
        self._announce = announce
        self._warm_up = warm_up
        self._pause = pause
        self._exchange = exchange
        self._futures = exchange.trading_mode == "futures"
        self._names = ClientIds(exchange, are_found=cover.manager.venue.WATCHES)
        self._create_order = exchange.create_order
        exchange.create_order = self  # type: ignore[method-assign]

    def __call__(self, **order: Any) -> Any:
        """Send an order.

        Raises:
            EntryRefused: If a rule objects or the stop was not accepted; no entry was sent then.
            EntryFailed: If the exchange did not take the entry, or does not say what became of it.
        """
        if order.get("reduceOnly") or (not self._futures and order["side"] == "sell"):
            return self._exit(order)
        try:
            return self._enter(order)
        except EntryRefused as refusal:
            self._announce(order["pair"], refusal.denial)
            raise

    def _enter(self, order: dict[str, Any]) -> Any:
        entry = EntryRequest(
            pair=order["pair"],
            is_short=order["side"] == "sell",
            rate=self._rate(order),
            leverage=order["leverage"],
            amount=self._as_executed(order["pair"], order["amount"]),
        )
        # Another thread may have changed a trade since this one read it, and waited for its turn.
        Trade.commit()
        trade = open_trade(entry.pair)
        _check_trade(entry.pair, trade, is_initial=order.get("initial_order", True))
        approved = self._approve(entry)
        if approved.amount < entry.amount:
            order["amount"] = approved.amount
        return self._send(order, approved, trade.amount if trade else 0.0)

    def _send(self, order: dict[str, Any], approved: ApprovedEntry, base: float) -> Any:
        """Send an approved entry, with the position of its pair's trade covered as well."""
        self._warm_up()
        # Before the stop: Binance changes no margin type with an order open, and the price has less
        # time to run from the stop to the entry.
        self._prepare(order)
        pending = self._cover.expect(approved, base)
        try:
            with self._names.given(pending.client_id, is_prepared=True):
                answer = self._create_order(**order)
        except Exception as error:
            answer = self._settle_entry(pending, error)
        self._cover.answered(pending, answer)
        return answer

    def _rate(self, order: dict[str, Any]) -> float:
        """Return the price an entry is judged by; one at market takes no notice of its own.

        That is whatever a person or the strategy says. Freqtrade has as a rule just asked for the
        current price and taken it over, and it is not asked for again.

        Raises:
            EntryRefused: If the price is not to be had.
        """
        rate, pair = float(order["rate"]), order["pair"]
        if order["ordertype"] != "market":
            return rate
        try:
            for refresh in (False, True):
                price = self._exchange.get_rate(
                    pair, refresh=refresh, side="entry", is_short=order["side"] == "sell"
                )
                if price == rate:
                    break
        except Exception as error:
            raise EntryRefused(pair, gate_failed("the price", error)) from error
        return price

    def _as_executed(self, pair: str, amount: float) -> float:
        """Return an amount as the exchange takes it, in whole steps."""
        exchange = self._exchange
        contracts = exchange.amount_to_precision(pair, exchange._amount_to_contracts(pair, amount))
        return exchange._contracts_to_amount(pair, contracts)

    def _prepare(self, order: dict[str, Any]) -> None:
        """Set margin type and leverage; without them there is no entry."""
        try:
            self._names.prepare(order)
        except Exception as error:
            _drop(order["pair"], error)

    def _settle_entry(self, pending: PendingEntry, error: Exception) -> CcxtOrder:
        """Return the entry if the exchange has it after all; it is never sent twice."""
        failure = classify(error)
        if failure.outcome is not Outcome.UNKNOWN or not self._names.sent:
            self._cover.refused(pending)
            _drop(pending.entry.pair, error)
        found = self._ask_for(pending.entry.pair, pending.client_id)
        if found is not None:
            logger.warning(
                "The answer to the entry of %s was lost (%s); the exchange has it: order ID %s.",
                symbol_of(pending.entry.pair),
                failure,
                found["id"],
            )
            return found
        pending.lose_answer()
        logger.error(
            "[ALERT] The entry of %s ended unknown (%s): its stop stays, and no other entry goes "
            "out, until the exchange tells what became of it.",
            symbol_of(pending.entry.pair),
            failure,
        )
        raise _told(
            error,
            f"Entry of {pending.entry.pair} ended unknown ({failure}): it may have happened. Its "
            "stop stays, and no other entry goes out, until the exchange tells what became of it.",
        )

    def _exit(self, order: dict[str, Any]) -> Any:
        """Send an exit, by a name by which a lost answer is settled.

        An exit takes no more than its trade holds. Freqtrade may learn while it replaces an exit
        that the old one has filled, and sends the amount it began with all the same: beside
        somebody else's part of the position, reduce-only does not stop that.

        Raises:
            InvalidOrderException: If the pair has no open trade any more.
        """
        trade = open_trade(order["pair"])
        if trade is None:
            raise InvalidOrderException(f"No exit of {order['pair']}: its trade is closed already.")
        order["amount"] = min(order["amount"], trade.amount)
        name = self._manager.namer.new(Role.EXIT, order["pair"])
        try:
            with self._names.given(name):
                return self._create_order(**order)
        except Exception as error:
            failure = classify(error)
            if failure.refusal is Refusal.NO_POSITION:
                held = self._manager.book.of(order["pair"])
                with held.lock:
                    held.trouble.denied += 1
            if failure.outcome is not Outcome.UNKNOWN or not self._names.sent:
                raise
            found = self._ask_for(order["pair"], name)
            if found is None:
                self._cover.lost_exit(order["pair"], name)
                raise
            logger.warning(
                "The answer to the exit of %s was lost (%s); the exchange has it: order ID %s.",
                symbol_of(order["pair"]),
                error,
                found["id"],
            )
            return found

    def _ask_for(self, pair: str, client_id: str) -> CcxtOrder | None:
        venue = self._manager.venue
        if not venue.WATCHES:
            return None
        find = partial(venue.find_order, pair, client_id=client_id)
        return settle(find, f"{client_id} of {pair}", _ASK_AFTER_S, self._pause).order


def _check_trade(pair: str, trade: LocalTrade | None, *, is_initial: bool) -> None:
    """Refuse an entry whose trade is no more what Freqtrade took it for when it began with it.

    A stop may have closed it while a further entry waited, which is about to be replaced; and one
    forced from another thread may have opened it on a pair that the loop found free.

    Raises:
        EntryRefused: If the entry would go to a closed trade, or make a second one of the pair's.
    """
    if is_initial is (trade is None):
        return
    raise EntryRefused(pair, _PAIR_TAKEN if is_initial else TRADE_CLOSED)


def _drop(pair: str, error: Exception) -> NoReturn:
    """Raise what an entry ends with that was certainly not executed."""
    raise _told(error, f"Entry of {pair} did not happen: {classify(error)}")


def _told(error: Exception, text: str) -> Exception:
    """Return an error that whoever forced the entry hears of, where Freqtrade's drops it unheard.

    What does more than to drop the entry stays what it is: one that stops the bot does.
    """
    if not isinstance(error, DependencyException):
        return error
    told = EntryFailed(text)
    told.__cause__ = error
    return told
