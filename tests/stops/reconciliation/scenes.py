"""What happens to a bot on paper in more than one test of the reconciliation."""

from collections.abc import Callable

import pytest
from freqtrade.persistence import Trade

from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import CcxtOrder
from tests.stops.lives import Killed
from tests.stops.minutes import Minutes
from tests.stops.paper import BTC

#: Seconds after which two lists that agree are believed, and some more.
PROVEN_S = 90.0


def held(minutes: Minutes, pair: str = BTC) -> PairState:
    """Return what the guard knows of a pair."""
    return minutes.bot.monitor.book.of(pair)


def stops(minutes: Minutes, pair: str = BTC) -> list[tuple[float, float]]:
    """Return size and trigger of what is live."""
    return [(stop["amount"], stop["stopPrice"]) for stop in minutes.paper.live(pair)]


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
