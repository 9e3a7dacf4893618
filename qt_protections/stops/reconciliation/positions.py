"""The account's positions against the trades: what no trade accounts for, and what is gone."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic, time
from typing import Protocol

from freqtrade.enums import ExitType
from freqtrade.persistence import Trade

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.stop_plan import covered
from qt_protections.stops.manager import StopManager
from qt_protections.stops.reconciliation.absence import Absence
from qt_protections.stops.reconciliation.entries import SURPLUS_LAG_S, EntryReconciliation, Strays
from qt_protections.stops.reconciliation.isolation import apart
from qt_protections.stops.reconciliation.trade_writer import write_off
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import CcxtOrder, Position, RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds before a position counts as gone, longer than one takes to show: to withdraw its stop by
#: mistake costs more than to leave one too long.
MISSING_LAG_S = 10.0
_SAME = 1e-6
#: How often the engine has to see no position before a trade is closed in the books for that.
_DENIALS = 2


class StopOfStranger(Protocol):
    """Says where the stop of a position stands that no trade accounts for."""

    def __call__(
        self, pair: str, entry_price: float, leverage: float, *, is_short: bool
    ) -> float: ...


class PositionReconciliation:
    """Compares positions with trades once in each loop.

    A position that the exchange does not show is no proof that the position is closed, see
    `OrderHistory` and `Absence`: until there is one, its stop stays.
    """

    def __init__(
        self,
        manager: StopManager,
        entries: EntryReconciliation,
        stop_of_stranger: StopOfStranger,
    ) -> None:
        """Take who places and asks, and who says where a stranger's stop stands."""
        self._stop_of_stranger = stop_of_stranger
        self._manager = manager
        self._entries = entries
        self._absence = Absence(manager.venue)
        self._odd: dict[str, int] = {}
        #: Since when a pair's orders are asked for that may explain a position, monotonic.
        self._asking: dict[str, float] = {}
        self._unproven: set[str] = set()
        self._smaller_since: dict[str, float] = {}

    def see(self, positions: dict[str, Position]) -> None:
        """Take in a new list of the account's positions, by pair, before it is compared."""
        self._absence.see(positions)

    @property
    def are_unsettled(self) -> bool:
        """Whether something differed when it was last compared, or still has to be proven."""
        return bool(self._odd or self._unproven or self._smaller_since or self._asking)

    def is_closed(self, held: PairState) -> bool:
        """Whether there is proof that the position of a deleted trade is closed."""
        return not held.base or self._was_closed(held, held.base, held.known_since_ms)

    def disown(self, held: PairState, price: float) -> None:
        """Take what a deleted trade held for nobody's: another trade of the pair begins.

        That may be a part of the same position, an entry that filled while its trade was deleted.
        Of the rest only the list of positions tells, and that may lag.

        Args:
            held: The pair; its lock is held.
            price: Quote currency, about what the position was entered at.
        """
        if held.external_position is None:
            held.external_since_ms = self._now_ms()
            amount = sum_exact(held.base, *(pending.unbooked for pending in held.pending_entries))
            held.external_position = Position(
                held.pair, held.is_short, amount, price, held.leverage
            )

    def compare(self, positions: dict[str, Position], trades: dict[str, Trade]) -> None:
        """Tell the book of positions without a trade, and of trades without a position.

        Args:
            positions: Those of the account, by pair.
            trades: The open ones by pair, as the book learnt them.
        """
        self._compare_all(positions, trades, at_start=False)

    def compare_at_start(
        self,
        positions: dict[str, Position],
        trades: dict[str, Trade],
        look: Callable[[], None],
    ) -> None:
        """Compare, and again once it is known which stops fired while no bot ran.

        One of them may have closed what its trade has on record, beside an entry that is not there.
        Until both are known, every position keeps the cover it has.

        Args:
            positions: Those of the account, by pair.
            trades: The open ones by pair, as the book learnt them.
            look: Compares the live stops with the book.

        Raises:
            RequestError: If the exchange does not answer.
        """
        for pair in positions.keys() - trades.keys():
            held = self._manager.book.of(pair)
            with apart(pair), held.lock:
                self._compare(held, positions[pair], None, at_start=True)
        kept = []
        for pair, position in positions.items():
            if pair in trades and trades[pair].is_short == position.is_short:
                kept.append(self._manager.book.of(pair))
                kept[-1].external_position = position
        try:
            look()
        finally:
            for held in kept:
                held.external_position = None
        # With the trades that were recovered meanwhile.
        trades = {trade.pair: trade for trade in Trade.get_open_trades()}
        for pair in trades:
            self._asking.setdefault(pair, monotonic())
        self._compare_all(positions, trades, at_start=True)
        for held in self._manager.book:
            with apart(held.pair):
                self._manager.reconcile_stops(held)

    def _compare_all(
        self, positions: dict[str, Position], trades: dict[str, Trade], *, at_start: bool
    ) -> None:
        for pair in positions:
            self._manager.book.of(pair)
        for held in self._manager.book:
            with apart(held.pair), held.lock:
                self._compare(
                    held, positions.get(held.pair), trades.get(held.pair), at_start=at_start
                )

    def _compare(
        self, held: PairState, position: Position | None, trade: Trade | None, *, at_start: bool
    ) -> None:
        surplus, held.more_shown = self._is_surplus(held, position, trade), False
        if not surplus:
            self._recover_unseen(held, trade)
        missing = _is_missing(held, position, trade)
        self._explain_stops(held, position)
        if not surplus and self._stranger_is_gone(held, position):
            held.external_position = None
        short = trade is not None and _is_short_of(held, position, trade)
        if not missing:
            self._unproven.discard(held.pair)
            held.denied = 0
        if at_start and trade is not None and not (missing or short):
            # An exit that a kill kept off the record is not missed beside somebody's own part.
            self._manager.closes.book(held, 0.0, with_exits=True)
        if not (surplus or missing or short):
            self._odd.pop(held.pair, None)
            return
        lag_s = SURPLUS_LAG_S if surplus and not missing else MISSING_LAG_S
        if not at_start and not self._is_certain(held, lag_s):
            held.more_shown = surplus  # until that is certain, what may cover it stays
            return
        if short and position is not None and self._refreshed(held):
            lacking = _lacking(held, position, trade)
            self._manager.closes.book(held, lacking, shown=position.amount, with_exits=True)
        if missing:
            self._find_missing(held, trade)
        if surplus and position is not None and not self._recover(held, position, trade):
            self._shelter(held, position)

    def _find_missing(self, held: PairState, trade: Trade | None) -> None:
        """Book what closed a position that is not there; end its trade, or say that it stays."""
        is_asked = self._manager.history.is_due(held)
        # The loop holds Freqtrade's lock of exits: one without a record stays without one.
        # One list that is empty proves nothing: somebody else's part may only not be shown.
        shown = 0.0 if self._absence.is_proven(held.pair) else None
        found = self._manager.closes.book(held, shown=shown, with_exits=True)
        if not found and is_asked and not self._is_written_off(held, trade):
            self._say_unproven(held)

    def _explain_stops(self, held: PairState, position: Position | None) -> None:
        """Let go of an earlier run's stops once it is known what they protect, or that nothing."""
        if not held.inherited:
            return
        if held.required_stop is not None or held.external_position is not None:
            # Beside a position of the one side there is none of the other.
            is_shown = position is not None and position.is_short == held.is_short
            for stop in held.all_stops:
                if is_shown or stop.is_short == held.is_short:
                    stop.track.is_inherited = False
        if position is not None or not held.inherited:
            return  # a position gets a trade, or is a stranger's, and with that a stop it needs
        try:
            # An entry whose answer was lost may arrive now, and rest.
            self._entries.cancel_strays(held.pair)
        except RequestError as error:
            logger.warning("Could not ask for open orders of %s: %s", held.pair, error)
            return
        if self._absence.is_proven(held.pair):
            for stop in held.inherited:
                stop.track.is_inherited = False

    def _stranger_is_gone(self, held: PairState, position: Position | None) -> bool:
        """Whether what nobody accounted for is accounted for, or closed for certain."""
        stranger = held.external_position
        if stranger is None or position is not None:
            return True
        return self._was_closed(held, stranger.amount, held.external_since_ms)

    def _was_closed(self, held: PairState, amount: float, since_ms: int) -> bool:
        """Whether a position that is not shown is closed: by its orders, or by two lists."""
        if self._absence.is_proven(held.pair):
            return True
        if self._absence.may_be_shown(held.pair):
            return False
        try:
            return self._manager.history.is_closed(held, amount, since_ms)
        except RequestError as error:
            logger.warning("Could not ask what closed %s: %s", symbol_of(held.pair), error)
            return False

    def _now_ms(self) -> int:
        """Return the exchange's time, epoch milliseconds."""
        return int((time() - self._manager.venue.clock_skew_s) * 1000)

    def _is_written_off(self, held: PairState, trade: Trade | None) -> bool:
        """Close a trade in the books that the exchange holds nothing of, by three witnesses.

        Both lists have shown nothing for a minute, no order closed the position, and the engine
        itself has refused to reduce it more than once. Else a trade that counted something twice
        would be protected, and exited in vain, for ever.
        """
        if (
            trade is None
            or not held.base
            or held.denied < _DENIALS
            or not self._absence.is_proven(held.pair)
        ):
            return False
        logger.error(
            "[ALERT] %s is closed in the books: the exchange has no position of it, refuses to "
            "reduce one, and knows no order that closed it.",
            trade,
        )
        write_off(trade)
        return True

    def _say_unproven(self, held: PairState) -> None:
        if held.pair in self._unproven:
            return
        self._unproven.add(held.pair)
        logger.error(
            "[ALERT] The exchange does not show the position of %s, and knows no order that closed "
            "it: its stop stays.",
            symbol_of(held.pair),
        )

    def _is_surplus(self, held: PairState, position: Position | None, trade: Trade | None) -> bool:
        """Whether the exchange holds more than trades and fills of entries account for."""
        if position is None:
            return False
        own = 0.0 if trade is None else held.base
        if position.is_short == held.is_short and not _is_more(position, own, held):
            return False
        self._refreshed(held)
        return position.is_short != held.is_short or _is_more(position, own, held)

    def _refreshed(self, held: PairState) -> bool:
        """Ask what waiting entries have filled, unheard perhaps; return whether that was told."""
        try:
            self._manager.history.refresh_entries(held)
        except RequestError as error:
            logger.warning("Could not ask for entries of %s: %s", symbol_of(held.pair), error)
            return False
        return True

    def _is_certain(self, held: PairState, lag_s: float) -> bool:
        """Whether a difference is more than the exchange's delay in showing positions."""
        self._odd[held.pair] = self._odd.get(held.pair, 0) + 1
        return monotonic() - held.changed > lag_s and self._odd[held.pair] >= 2

    def _recover(self, held: PairState, position: Position, trade: Trade | None) -> bool:
        """Put entries on record that this bot sent and did not live to put there.

        They become a trade of their own, or part of the pair's: a replaced entry, a second one.
        """
        if held.external_position is None or position.amount > held.external_position.amount:
            self._asking[held.pair] = monotonic()
        if held.pair not in self._asking:
            return False
        if trade is not None and (held.ends_first or trade.is_short != position.is_short):
            return False  # asked once that is over
        strays = self._strays(held, is_short=position.is_short)
        if strays is None:
            return False
        is_told = not strays.lags and strays.known >= position.amount * (1 - _SAME)
        left = subtract_exact(_filled(strays.entries), _filled(strays.closes))
        # A trade that was deleted takes its entries along: they are nobody's.
        is_both = left and trade is not None
        lacking = subtract_exact(sum_exact(held.base, left), position.amount) if is_both else 0.0
        if lacking and self._manager.closes.book(held, lacking, with_exits=True):
            return False  # that closed what the trade has on record, and is booked before them
        is_over = monotonic() - self._asking[held.pair] > self._absence.needed_s
        if is_over or (is_told and not lacking):
            del self._asking[held.pair]  # else the history may lag as any list does
            if trade is not None and not strays.entries:
                # Somebody's own part may hide that others closed the trade's, unheard.
                self._manager.closes.book(held, shown=position.amount, with_exits=True)
        if not strays.entries or left > subtract_exact(position.amount, held.base) * (1 + _SAME):
            return False
        self._take_up_all(held, position, trade, strays)
        return True

    def _take_up_all(
        self, held: PairState, position: Position, trade: Trade | None, strays: Strays
    ) -> None:
        """Put entries on record that a list of positions shows."""
        if trade is None:
            held.base = 0.0  # of a deleted trade: these are the entries that it was made of
        trade = self._take_up(held, trade, strays, position.leverage, position.entry_price)
        if not held.trigger and trade is not None:
            held.trigger, held.trigger_inferred = trade.stop_loss, True
        held.is_short, held.leverage = position.is_short, position.leverage

    def _recover_unseen(self, held: PairState, trade: Trade | None) -> None:
        """Put entries on record that the list of positions does not show beside the trade.

        The list may be old, or something has closed a part that is not booked either. The orders
        are proof, and without the entries a stop that covers the whole would be booked on a part.
        """
        if trade is None or held.pair not in self._asking or held.ends_first:
            return
        strays = self._strays(held, is_short=trade.is_short)
        is_over = monotonic() - self._asking[held.pair] > self._absence.needed_s
        if is_over or (strays is not None and not strays.lags):
            del self._asking[held.pair]
        if strays is not None:
            self._take_up(held, trade, strays, trade.leverage or 1.0, trade.open_rate)

    def _strays(self, held: PairState, *, is_short: bool) -> Strays | None:
        """Return what the orders tell of entries without a trade; None without an answer."""
        try:
            self._entries.cancel_strays(held.pair)  # one that rests is nobody's yet, and fills on
            return self._entries.open_strays(held, is_short=is_short)
        except RequestError as error:
            logger.warning("Could not ask for the orders of %s: %s", held.pair, error)
            return None

    def _take_up(
        self, held: PairState, trade: Trade | None, strays: Strays, leverage: float, rate: float
    ) -> Trade | None:
        for order in strays.entries:
            average = float(order.get("average") or rate)
            trade = self._entries.take_up(held, trade, order, leverage, average)
        for order in strays.closes:
            held.book_close(order, ExitType.SOLD_ON_EXCHANGE.value)
        return trade

    def _shelter(self, held: PairState, position: Position) -> None:
        """Cover a position no trade accounts for, say so once, and let nothing else enter."""
        if held.external_position is None:
            logger.error(
                "[ALERT] %s holds %s on the exchange that no trade accounts for: it is covered, "
                "and no entry goes out until it is gone.",
                symbol_of(held.pair),
                position.amount,
            )
        position = self._not_smaller(held, position)
        if held.external_position is None or held.external_position.amount != position.amount:
            # Of the list that may lag: what filled later is not in it yet.
            held.external_since_ms = position.updated_ms or self._now_ms()
        held.external_position = position
        if any(pending.entry.is_short != position.is_short for pending in held.pending_entries):
            self._manager.closes.call_off(held)  # a stop stands for one side only
        if held.base:
            return  # a part of it is a trade's, and stands where that one's stop stands
        need = held.required_stop
        is_covered = need is not None and covered(need, held.standing)
        if held.is_short != position.is_short or not is_covered:
            # What stood may have been a trade's, and passed by the price since.
            held.is_short = position.is_short
            held.trigger, held.trigger_inferred = self._stop_for(position), True
        held.leverage = position.leverage

    def _not_smaller(self, held: PairState, position: Position) -> Position:
        """Return a stranger's position as it is shown, or was until lately if that was larger.

        A list may be old; a stop for more than there is closes no more than there is.
        """
        known = held.external_position
        same = known is not None and known.is_short == position.is_short
        if known is None or not same or position.amount >= known.amount:
            self._smaller_since.pop(held.pair, None)
            return position
        since = self._smaller_since.setdefault(held.pair, monotonic())
        if monotonic() - since > self._absence.needed_s:
            return position
        return replace(position, amount=known.amount)

    def _stop_for(self, position: Position) -> float:
        """Return where a stranger's stop stands: from its entry, or from now if that is passed.

        One just beyond the price would close what somebody means to keep.
        """

        def stop_from(price: float) -> float:
            return self._stop_of_stranger(
                position.pair, price, position.leverage, is_short=position.is_short
            )

        stop = stop_from(position.entry_price)
        try:
            price = self._manager.venue.price(position.pair)
        except RequestError as error:
            logger.warning("Could not ask for the price of %s: %s", position.pair, error)
            return stop
        passed = price >= stop if position.is_short else price <= stop
        return stop_from(price) if passed else stop


def _lacking(held: PairState, position: Position | None, trade: Trade | None) -> float:
    """Return how much the exchange shows too little, base currency.

    What an exit that rests has filled is on its order's record, and not yet on its trade's.
    """
    is_short = held.is_short if trade is None else trade.is_short
    shown = position.amount if position is not None and position.is_short == is_short else 0.0
    rows = [] if trade is None else trade.orders
    left = [o.safe_filled for o in rows if o.ft_is_open and o.ft_order_side == o.trade.exit_side]
    return subtract_exact(held.own or held.base, shown, *left)


def _is_missing(held: PairState, position: Position | None, trade: Trade | None) -> bool:
    """Whether a trade's position is not there, or has been turned to the other side."""
    is_short = held.is_short if trade is None else trade.is_short
    is_shown = position is not None and position.is_short == is_short
    return not is_shown and _lacking(held, position, trade) > 0


def _is_short_of(held: PairState, position: Position | None, trade: Trade) -> bool:
    """Whether the exchange holds a part only of what the trade accounts for."""
    if position is None or position.is_short != trade.is_short:
        return False
    return _lacking(held, position, trade) > held.own * _SAME


def _is_more(position: Position, own: float, held: PairState) -> bool:
    """Whether a position is larger than what a trade and the fills of entries account for.

    An entry whose answer was lost counts whole: it is being asked for.
    """
    parts = [i.entry.amount if i.is_lost else i.unbooked for i in held.pending_entries]
    return position.amount > sum_exact(own, *parts) * (1 + _SAME)


def _filled(orders: Sequence[CcxtOrder]) -> float:
    return sum_exact(*(float(order["filled"]) for order in orders))
