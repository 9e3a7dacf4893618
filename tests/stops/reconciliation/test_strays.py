"""Of the exchange's orders, this bot's entries that no trade has, and what closed of those."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from freqtrade.persistence import Order, Trade, init_db
from freqtrade.util import dt_now, dt_ts

from qt_protections.stops.reconciliation.strays import StrayEntries, Strays
from qt_protections.stops.state.client_ids import Namer, Role
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, ETH, LOST
from tests.stops.reconciliation.test_trade_writer import trade as new_trade


class Orders:
    """An account's orders, and what a database has of them.

    Attributes:
        paper: The exchange.
        strays: Finds what no trade has.
    """

    def __init__(self, made: Guards) -> None:
        self.guards, self.paper = made, made.paper
        self.strays = StrayEntries(made.manager)
        self.began_ms = dt_ts() - 3_600_000
        self.paper.now_ms = lambda: self.began_ms + 1000 * len(self.paper.orders)

    def entry(self, amount: float, *, fills: bool = True) -> str:
        """Let an earlier run have entered; return the order."""
        name = Namer("test", "sqlite://").new(Role.ENTRY, BTC)
        return self.paper.enter(BTC, amount, name, fills=fills)

    def by_hand(self, amount: float) -> str:
        """Let somebody trade at market; return the order."""
        return self.paper.enter(BTC, amount, "web_1")

    def book(self, order_id: str, amount: float | None = None, *, is_open: bool = True) -> Trade:
        """Put an order on the record of a trade, as far as it was that trade's."""
        order = self.paper.orders[order_id]
        trade = new_trade(100.0, 0.1, 1.0, is_short=False)
        trade.is_open = is_open
        row = trade.orders[0]
        row.order_id, row.ft_order_side = order_id, order["side"]
        row.ft_amount = order["amount"] if amount is None else amount
        row.filled = min(order["filled"], row.ft_amount)
        row.order_date = dt_now() - timedelta(minutes=1)
        row.order_filled_date = dt_now()
        Trade.session.add(trade)
        Trade.commit()
        return trade

    def find(self, *, is_short: bool = False) -> Strays:
        """Ask."""
        return self.strays.find(self.guards.held(), is_short=is_short)

    def found(self, *, is_short: bool = False) -> tuple[list[float], list[float]]:
        """Return sizes of entries without a trade, and of what closed of them."""
        strays = self.find(is_short=is_short)
        return [o["filled"] for o in strays.entries], [o["filled"] for o in strays.closes]


@pytest.fixture
def orders() -> Iterator[Orders]:
    """An empty account, and an empty database."""
    init_db("sqlite://")
    yield Orders(guards())
    Trade.session.remove()


# Filled


@pytest.mark.parametrize("side", [1.0, -1.0], ids=["long", "short"])
def test_an_entry_that_no_trade_has(orders: Orders, side: float) -> None:
    """On the side that is asked about; on the other one it would be a close."""
    orders.entry(2.0 * side)
    assert orders.found(is_short=side < 0) == ([2.0], [])
    assert orders.find(is_short=side < 0).known == 2.0
    assert orders.found(is_short=side > 0) == ([], [])


def test_what_others_entered_is_nobody_s_stray(orders: Orders) -> None:
    """It counts for what the position is by its orders, and is never made a trade."""
    orders.by_hand(2.0)
    orders.paper.enter(BTC, 1.0, Namer("another bot", "sqlite://").new(Role.ENTRY, BTC))
    assert orders.found() == ([], [])
    assert orders.find().known == 3.0


def test_an_entry_that_a_trade_has_is_no_stray(orders: Orders) -> None:
    """It is accounted for."""
    orders.book(orders.entry(2.0))
    assert orders.found() == ([], [])


def test_an_entry_that_rests_is_no_position_yet(orders: Orders) -> None:
    """It is cancelled, see below."""
    orders.paper.fill(orders.entry(2.0, fills=False), 1.0)
    assert orders.found() == ([], [])
    assert orders.find().known == 0.0


def test_an_order_that_is_listed_twice_counts_once(orders: Orders) -> None:
    """Pages of the history may overlap."""
    orders.entry(2.0)
    orders.paper.views["orders_since"] = lambda found: [*found, *found]
    assert orders.found() == ([2.0], [])
    assert orders.find().known == 2.0


# What closed of them


def test_what_closed_a_part_is_taken_along(orders: Orders) -> None:
    """Whoever sent it: the trade ends as large as what is left."""
    orders.entry(2.0)
    orders.by_hand(-0.5)
    assert orders.found() == ([2.0], [0.5])
    assert orders.find().known == 1.5


def test_entries_that_were_closed_in_whole_are_over(orders: Orders) -> None:
    """Only what was entered since is left; an earlier close is none of that."""
    orders.entry(2.0)
    orders.by_hand(-2.0)
    orders.entry(1.0)
    assert orders.found() == ([1.0], [])


def test_a_close_that_a_trade_has_booked_closed_none_of_them(orders: Orders) -> None:
    """Neither by its record, nor as what the trade is about to book."""
    orders.entry(2.0)
    orders.book(orders.by_hand(-0.5))
    about_to_be = orders.by_hand(-0.25)
    orders.guards.held().ledger.children.add(about_to_be)
    assert orders.found() == ([2.0], [])


def test_what_a_stop_on_record_became_closed_none_of_them(orders: Orders) -> None:
    """Trades book that by the stop's id."""
    orders.entry(2.0)
    stop = orders.paper.stray_stop(BTC, 1.0, 98.0)
    orders.paper.trigger(stop)
    trade = orders.book(orders.by_hand(0.0))
    row = trade.orders[0]
    row.order_id, row.ft_order_side, row.order_filled_date = stop, "stoploss", dt_now()
    Trade.commit()
    assert orders.found() == ([2.0], [])


def test_of_a_close_that_was_booked_in_part_the_rest_is_theirs(orders: Orders) -> None:
    """Under a name of its own: Freqtrade knows each order once."""
    orders.entry(2.0)
    close = orders.by_hand(-1.5)
    orders.book(close, 1.0)
    (rest,) = orders.find().closes
    assert (rest["id"], rest["filled"]) == (f"{close}-entries", 0.5)


@pytest.mark.parametrize("is_booked", [True, False], ids=["on record", "about to be"])
def test_such_a_rest_is_theirs_once(orders: Orders, is_booked: bool) -> None:
    """A trade of them has it."""
    orders.entry(2.0)
    close = orders.by_hand(-1.5)
    trade = orders.book(close, 1.0)
    if is_booked:
        trade.orders.append(
            Order(
                ft_order_side="sell",
                ft_pair=BTC,
                ft_is_open=False,
                order_id=f"{close}-entries",
                ft_amount=0.5,
                ft_price=100.0,
                order_date=dt_now(),
                filled=0.5,
            )
        )
        Trade.commit()
    else:
        orders.guards.held().ledger.children.add(f"{close}-entries")
    assert orders.found() == ([2.0], [])


# What outlived its record


@pytest.mark.parametrize("filled_late", [True, False])
def test_an_entry_that_filled_after_its_trade_was_closed(orders: Orders, filled_late: bool) -> None:
    """Freqtrade lets it wait, and books its fill on the closed trade."""
    trade = orders.book(orders.entry(2.0), is_open=False)
    trade.close_date = dt_now() + timedelta(minutes=-1 if filled_late else 1)
    Trade.commit()
    assert orders.found() == (([2.0], []) if filled_late else ([], []))


@pytest.mark.parametrize("on_record", [0.5, 2.0])
def test_an_entry_that_filled_more_than_is_on_record(orders: Orders, on_record: float) -> None:
    """It counts as cancelled there: the exchange could not tell of it when a bot started."""
    entry = orders.entry(2.0)
    row = orders.book(entry).orders[0]
    row.status, row.filled = "canceled", on_record
    Trade.commit()
    assert orders.found() == (([2.0], []) if on_record < 2.0 else ([], []))


# Whether the history tells all


def test_a_history_without_an_order_on_record_lags(orders: Orders) -> None:
    """What it does not tell may be what explains the position."""
    entry = orders.entry(2.0)
    orders.book(entry)
    assert not orders.find().lags
    orders.paper.views["orders_since"] = lambda found: [o for o in found if o["id"] != entry]
    assert orders.find().lags


# Resting


def test_entries_that_rest_without_a_trade_are_cancelled(orders: Orders) -> None:
    """Somebody else's, those of trades, and exits stay."""
    stray = orders.entry(2.0, fills=False)
    kept = [orders.paper.enter(BTC, 1.0, "web_1", fills=False), orders.entry(1.0, fills=False)]
    trade = orders.book(kept[1])
    trade.orders[0].ft_is_open = True
    Trade.commit()
    kept.append(
        orders.paper.enter(BTC, -1.0, Namer("test", "sqlite://").new(Role.EXIT, BTC), fills=False)
    )
    orders.strays.cancel(ETH)
    assert orders.paper.orders[stray]["status"] == "open"
    orders.strays.cancel()
    assert orders.paper.orders[stray]["status"] == "canceled"
    assert [orders.paper.orders[name]["status"] for name in kept] == ["open"] * 3


@pytest.mark.parametrize("is_open", [True, False], ids=["counts as over", "trade closed"])
def test_an_entry_that_rests_beyond_its_record_is_cancelled(orders: Orders, is_open: bool) -> None:
    """Nobody waits for it any more."""
    stray = orders.entry(2.0, fills=False)
    trade = orders.book(stray, is_open=is_open)
    trade.orders[0].ft_is_open = not is_open
    trade.orders[0].order_filled_date = None
    trade.close_date = None if is_open else dt_now()
    Trade.commit()
    orders.strays.cancel()
    assert orders.paper.orders[stray]["status"] == "canceled"


def test_without_an_answer_it_is_raised(orders: Orders) -> None:
    """Whoever asks decides what that means."""
    orders.paper.failing |= {"orders_since": LOST, "open_orders": LOST}
    with pytest.raises(type(LOST)):
        orders.find()
    with pytest.raises(type(LOST)):
        orders.strays.cancel()
