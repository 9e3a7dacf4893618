"""What happens to a bot on paper in more than one test of the reconciliation."""

from collections.abc import Callable

import pytest
from freqtrade.persistence import Order, Trade
from freqtrade.util import dt_now

from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.monitor.hearing import Hearing
from qt_protections.stops.monitor.stream_proof import StreamProof
from qt_protections.stops.reconciliation.trades import TradeReconciliation
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import CcxtOrder
from tests.stops.guards import guards
from tests.stops.lives import Killed
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC
from tests.stops.reconciliation.test_trade_writer import trade as new_trade

#: Seconds after which two lists that agree are believed, and some more.
PROVEN_S = 90.0


def held(minutes: Minutes, pair: str = BTC) -> PairState:
    """Return what the guard knows of a pair."""
    return minutes.bot.monitor.book.of(pair)


def stops(minutes: Minutes, pair: str = BTC) -> list[tuple[float, float]]:
    """Return size and trigger of what is live."""
    return [(stop["amount"], stop["stopPrice"]) for stop in minutes.paper.live(pair)]


def stops_of_kind(minutes: Minutes, *, is_trailing: bool, pair: str = BTC) -> list[CcxtOrder]:
    """Return what is live of one kind."""
    return [stop for stop in minutes.paper.live(pair) if ("activation" in stop) is is_trailing]


def the_trade(pair: str = BTC) -> Trade:
    """Return the one open trade of a pair."""
    (trade,) = [trade for trade in Trade.get_open_trades() if trade.pair == pair]
    return trade


def entries(minutes: Minutes, pair: str = BTC) -> list[CcxtOrder]:
    """Return the orders of a pair's book, oldest first."""
    return [order for order in minutes.paper.orders.values() if order["symbol"] == pair]


def unheard(minutes: Minutes, act: Callable[[], object]) -> None:
    """Have something happen on the exchange whose events get lost."""
    told, minutes.paper.on_event = minutes.paper.on_event, lambda _: None
    act()
    minutes.paper.on_event = told


def killed_after(minutes: Minutes, method: str, act: Callable[[], object]) -> None:
    """Kill the bot once the exchange has executed a request, and start another one."""
    minutes.paper.after[method].append(Killed())  # type: ignore[arg-type]
    with pytest.raises(Killed):
        act()
    minutes.restart(is_killed=True)


def is_blameless(minutes: Minutes) -> bool:
    """Whether nothing was sold of somebody else's, sent twice, or laid bare."""
    return not (minutes.paper.wrongs or minutes.paper.laid_bare)


class Unwatched:
    """The reconciliation where no list of stops is to be had: Freqtrade's record counts.

    Attributes:
        paper: The exchange.
        manager: Who covers positions.
        books: The reconciliation.
    """

    def __init__(self, minutes: Minutes, *, blocks: bool) -> None:
        made = guards("on_fill")
        self.paper, self.manager = made.paper, made.manager
        self.paper.WATCHES = False  # type: ignore[misc]
        bot = minutes.bot
        self.books = TradeReconciliation(
            bot.bot.strategy,
            bot.exchange,
            EntryCover(made.manager, "on_fill", at_hand_over=blocks),
            made.mover,
            None,
            None,
            bot._stop_of_stranger,
            Hearing(StreamProof()),
            blocks=blocks,
        )

    def entered(self, *, is_open: bool = False) -> Trade:
        """Put a trade on record whose entry has filled; a second entry may be open."""
        trade = new_trade(100.0, 0.1, 1.0, is_short=False)
        trade.stop_loss = trade.initial_stop_loss = 95.0
        trade.orders[0].order_filled_date = dt_now()
        self.paper.enter(BTC, 1.0)
        if is_open:
            trade.orders.append(
                Order(
                    ft_order_side="buy",
                    ft_pair=BTC,
                    ft_is_open=True,
                    order_id="2",
                    ft_amount=1,
                    ft_price=100.0,
                    status="open",
                )
            )
        Trade.session.add(trade)
        Trade.commit()
        return trade

    def stops(self) -> list[tuple[float, float]]:
        """Return size and trigger of what is live."""
        return [(stop["amount"], stop["stopPrice"]) for stop in self.paper.live(BTC)]
