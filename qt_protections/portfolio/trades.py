"""What the rules need to know of Freqtrade's trades, as plain numbers."""

from collections.abc import Callable, Sequence

from freqtrade.persistence import LocalTrade, Trade

from qt_protections.rules.amounts import sum_exact
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.pairs import base_of


def open_trades(pair: str | None = None) -> Sequence[LocalTrade]:
    """Return the open trades, of a pair or all; read only: they may be Freqtrade's own list.

    A backtest is asked eight times for each entry, and has the trades at hand.
    """
    if Trade.use_db:
        return Trade.get_trades_proxy(pair=pair, is_open=True)
    return LocalTrade.bt_trades_open if pair is None else LocalTrade.bt_trades_open_pp[pair]


def open_trade(pair: str) -> LocalTrade | None:
    """Return the pair's open trade; Freqtrade keeps one at most."""
    return next(iter(open_trades(pair)), None)


def filled(trade: LocalTrade | None) -> LocalTrade | None:
    """Return an open trade once any of its first entry has filled; None before that."""
    return trade if trade is not None and trade.amount else None


def one_r(trade: LocalTrade) -> float:
    """Return the initial risk of a trade per base unit: from its entry to its initial stop."""
    return abs(trade.open_rate - (trade.initial_stop_loss or trade.stop_loss))


def exposures(
    planned: Callable[[LocalTrade], float | None], symbol: str | None = None
) -> list[Exposure]:
    """Return what open trades hold, with what their waiting entries may add.

    Args:
        planned: Says where the stop of a trade stands whose entry waits, quote currency; Freqtrade
            knows that only once the entry has filled.
        symbol: The base currency to look at; all trades if None.
    """
    trades = open_trades()
    if symbol is not None:
        trades = [trade for trade in trades if base_of(trade.pair) == symbol]
    return [_exposure(trade, planned) for trade in trades]


def fees_paid() -> float:
    """Return the fees of the entries of all open trades, quote currency."""
    held = [trade for trade in open_trades() if trade.has_open_position]
    return sum([trade.amount * trade.open_rate * (trade.fee_open or 0.0) for trade in held])


def _exposure(trade: LocalTrade, planned: Callable[[LocalTrade], float | None]) -> Exposure:
    filled, stop = trade.amount, trade.stop_loss
    if not trade.has_open_position:
        filled, stop = 0.0, planned(trade) or stop
    entry_side, entries, waiting = trade.entry_side, 0, []
    for order in trade.orders:
        if order.ft_order_side != entry_side:
            continue
        if order.ft_is_open:
            # With what they have filled: Freqtrade adds an order to its trade once it is over.
            waiting.append((order.safe_amount, order.safe_price))
        entries += order.ft_is_open or order.safe_filled > 0
    amount, entry = filled, trade.open_rate
    if waiting:
        amount = sum_exact(filled, *(part for part, _ in waiting))
        value = filled * trade.open_rate + sum(part * price for part, price in waiting)
        entry = value / amount if amount else trade.open_rate
    return Exposure(trade.pair, trade.is_short, amount, entry, stop, entries)
