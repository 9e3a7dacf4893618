"""What the book learns from Freqtrade's trades: what is held, and which stops are on record."""

from datetime import datetime

from freqtrade.persistence import Order, Trade

from qt_protections.portfolio.trades import open_trade
from qt_protections.rules.amounts import subtract_exact
from qt_protections.rules.entries import EntryRequest
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.reconciliation.external_positions import StopOfStranger
from qt_protections.stops.reconciliation.isolation import apart
from qt_protections.stops.reconciliation.positions import PositionReconciliation
from qt_protections.stops.reconciliation.trade_updater import forget_booked
from qt_protections.stops.state.booking import forget_trade
from qt_protections.stops.state.page import is_let_go
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.state.records import STOP_RECORD, read_stops
from qt_protections.stops.venue.protocol import Position


class TradeReader:
    """Brings the book up to date with a trade, and with its end."""

    def __init__(
        self,
        cover: EntryCover,
        positions: PositionReconciliation,
        stop_of_stranger: StopOfStranger,
        failed: set[str],
        *,
        is_watched: bool,
    ) -> None:
        """Take who knows what of a position without a trade.

        Args:
            cover: Keeps entries covered.
            positions: Has proof of what was closed.
            stop_of_stranger: Says where the stop of a position stands that no trade accounts for.
            failed: Takes the pairs that the next loop has to see to.
            is_watched: Whether the exchange's stops can be listed; else Freqtrade's record counts.
        """
        self._cover = cover
        self._positions = positions
        self._stop_of_stranger = stop_of_stranger
        self._failed = failed
        self._is_watched = is_watched

    def learn(self, held: PairState, trade: Trade) -> None:
        """Take in what a trade holds, its stops on record, and its entries that wait."""
        with held.lock:
            is_another = not _is_same(held, trade)
            # A position of an entry that just filled is this trade's, though no loop has seen it.
            knew_another = held.trade_deleted or held.trade_id is not None
            if is_another and knew_another:
                if is_orphan(held):
                    self._positions.disown(held, trade.open_rate)
                forget_trade(held)
            if held.external.position is None or held.external.position.is_short == trade.is_short:
                held.is_short, held.leverage = trade.is_short, trade.leverage or 1.0
            if is_another:  # what its stops became may be known already: they stood before it did
                held.trade_id, held.opened_ms, held.trouble.denied = trade.id, 0, 0
                held.ledger.booked_stops.clear()
                held.ledger.forget_earlier(_sent_since_ms(trade))
            for order_id, filled_ms in _filled_stops(trade).items():
                held.ledger.booked_stops.setdefault(order_id, filled_ms)
            held.trade_deleted = False
            held.opened_ms = held.opened_ms or _unheard_since_ms(trade)
            held.ledger.on_record = frozenset(order.order_id for order in trade.orders)
            # An earlier run may have found that an order closed a part only of the trade.
            exits = [row for row in trade.orders if row.ft_order_side == trade.exit_side]
            held.ledger.parts |= {row.order_id: row.ft_amount for row in exits}
            forget_booked(held, trade)
            held.base = subtract_exact(
                trade.amount, *(fill.amount for fill in held.ledger.unbooked_fills)
            )
            held.ledger.known_to_freqtrade = frozenset(
                order.order_id for order in trade.open_sl_orders
            )
            if not self._is_watched:
                read_stops(held, trade)
            if not held.trigger:
                held.trigger, held.trigger_inferred = self._last_trigger(trade), not trade.sl_orders
            for row in trade.orders:
                if row.ft_order_side == trade.entry_side:
                    self._learn_entry(held, trade, row)

    def _last_trigger(self, trade: Trade) -> float:
        """Return where the stop of a trade stood that this process has not seen yet.

        Of an entry that waits Freqtrade has the strategy's stop on record, not the planned one.
        """
        if trade.has_open_position or trade.sl_orders:
            return trade.stop_loss
        record = trade.get_custom_data(STOP_RECORD) or {}
        return float(record.get("price") or 0.0) or self._stop_of_stranger(
            trade.pair, trade.open_rate, trade.leverage or 1.0, is_short=trade.is_short
        )

    def _learn_entry(self, held: PairState, trade: Trade, row: Order) -> None:
        pending = held.pending_of(row.order_id)
        if not row.ft_is_open:
            if pending is not None:
                held.pending_entries.remove(pending)
            return
        if pending is None:
            entry = EntryRequest(
                trade.pair, trade.is_short, row.safe_price, trade.leverage or 1.0, row.safe_amount
            )
            pending = PendingEntry(entry, "", self._cover.beforehand(trade.pair))
            pending.hear(row.order_id, row.safe_filled, is_over=False)
            pending.at_ms = _epoch_ms(row.order_date_utc)
            held.pending_entries.append(pending)
        pending.filled = max(pending.filled, row.safe_filled)

    def let_go(self, trades: dict[str, Trade], positions: dict[str, Position] | None) -> None:
        """Note of which pairs no trade of Freqtrade's is open any more.

        Args:
            trades: Those that are.
            positions: The account's, by pair; None if the exchange was not asked.
        """
        for held in self._cover.manager.book:
            # Each pair that was ever asked about is in the book, and each costs a query here.
            if held.pair not in trades and not is_let_go(held):
                with apart(held.pair, self._failed):
                    self._let_go_of(held, positions)

    def _let_go_of(self, held: PairState, positions: dict[str, Position] | None) -> None:
        with held.lock:
            if open_trade(held.pair) is not None:
                return  # remote control has made one since this loop looked
            is_deleted = held.external.position is None and is_orphan(held)
            may_be_open = positions is None or held.pair in positions
            if is_deleted and (may_be_open or not self._positions.is_closed(held)):
                forget_trade(held)
                held.trade_deleted = True  # its cover stays until there is proof
                return
            held.trade_deleted = False
            # What closed an entry that no trade has booked yet is that entry's trade's.
            forget_trade(held)
            held.base, held.ledger.known_to_freqtrade, held.opened_ms = 0.0, frozenset(), 0
            held.released.clear()
            if not self._is_watched:
                read_stops(held, None)
            if held.required_stop is None and held.external.position is None:
                held.trigger = 0.0


def is_orphan(held: PairState) -> bool:
    """Whether the trade of a position was deleted (`/delete`), not closed."""
    if not held.base:
        return False
    known = Trade.get_trades([Trade.id == held.trade_id, Trade.pair == held.pair]).first()
    return known is None or not _is_same(held, known)


def _is_same(held: PairState, trade: Trade) -> bool:
    """Whether a trade is the one that the book knows.

    SQLite gives IDs of deleted trades again, and an entry of a deleted trade may begin another one.
    A trade itself keeps its orders.
    """
    if held.trade_id != trade.id:
        return False
    return held.ledger.on_record <= {row.order_id for row in trade.orders}


def _unheard_since_ms(trade: Trade) -> int:
    """Return since when closes of a trade may be missing from its record, epoch milliseconds.

    Since its first entry was sent: one that fills bit by bit may have been closed in part before it
    was over, and an exit may be on record that a kill kept from an earlier close. 0 while nothing
    has filled.
    """
    filled = [order for order in trade.orders if order.order_filled_utc]
    return _epoch_ms(min(order.order_date_utc for order in filled)) if filled else 0


def _sent_since_ms(trade: Trade) -> int:
    """Return when the first order of a trade was sent, epoch milliseconds."""
    return min((_epoch_ms(order.order_date_utc) for order in trade.orders), default=0)


def _filled_stops(trade: Trade) -> dict[str, int]:
    """Return when the stops filled that a trade has booked, by id, epoch milliseconds."""
    filled = [(row, at) for row in trade.sl_orders if (at := row.order_filled_utc)]
    return {row.order_id: _epoch_ms(at) for row, at in filled if not row.ft_is_open}


def _epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
