"""A trade's rows stand in the order of their fills, whatever the order they were written in."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from freqtrade.persistence import Order, Trade, init_db
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm.exc import StaleDataError

from qt_protections.stops.reconciliation.order_sequence import note_fill_on_record, set_in_order
from qt_protections.stops.venue.protocol import CcxtOrder
from tests.stops.paper import BTC
from tests.stops.reconciliation.test_trade_writer import trade as new_trade

START = datetime(2026, 9, 1, tzinfo=UTC)


@contextmanager
def a_trade(url: str = "sqlite://") -> Iterator[Trade]:
    """Give an open long in a database, without the order it was opened by."""
    init_db(url)
    made = new_trade(100.0, 0.1, 10.0, is_short=False)
    made.orders.clear()
    Trade.session.add(made)
    Trade.commit()
    try:
        yield made
    finally:
        Trade.session.remove()


def add(trade: Trade, name: str, filled_s: float | None, side: str = "buy") -> Order:
    """Write a row, of an order that filled so many seconds after the start, or did not."""
    row = Order(
        ft_order_side=side,
        ft_pair=BTC,
        ft_is_open=filled_s is None,
        order_id=name,
        ft_amount=1.0,
        ft_price=100.0,
        status="open" if filled_s is None else "closed",
        filled=0.0 if filled_s is None else 1.0,
        average=100.0,
        order_filled_date=None if filled_s is None else START + timedelta(seconds=filled_s),
    )
    trade.orders.append(row)
    return row


def names(trade: Trade) -> list[str]:
    """Return the ids of the orders as a bot reads them that starts now."""
    Trade.commit()
    trade_id = trade.id
    Trade.session.remove()
    read = Trade.session.get(Trade, trade_id)
    assert read is not None
    return [row.order_id for row in read.orders]


def executed(name: str, filled_s: float, status: str = "closed") -> CcxtOrder:
    """Return an order as the exchange tells of it, executed so many seconds after the start."""
    ms = (START + timedelta(seconds=filled_s)).timestamp() * 1000
    kept = {"lastTradeTimestamp": ms} if status == "closed" else {"lastUpdateTimestamp": ms}
    return {"id": name, "status": status, "filled": 1.0, **kept}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=7),
    st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=3),
)
def test_rows_are_read_in_the_order_of_their_fills(
    written: list[int | None], added: list[int | None]
) -> None:
    """Whichever were written late; those of one instant stay as they were, and none is lost."""
    with a_trade() as trade:
        rows = {f"{n}": seconds for n, seconds in enumerate(written)}
        for name, seconds in rows.items():
            add(trade, name, seconds)
        Trade.commit()
        later = {f"later {n}": seconds for n, seconds in enumerate(added)}
        for name, seconds in later.items():
            add(trade, name, seconds)
        rows |= later
        by_time = sorted(s for s in rows.values() if s is not None)
        moved = set_in_order(trade)
        assert not set_in_order(trade)
        read = names(trade)
        assert sorted(read) == sorted(rows)
        assert [s for name in read if (s := rows[name]) is not None] == by_time
        assert moved or read == list(rows)


@pytest.mark.parametrize("status", ["closed", "canceled"])
def test_a_stop_fills_after_what_came_before_its_fill(status: str) -> None:
    """Its row is older than theirs; also if only a part of it filled."""
    with a_trade() as trade:
        add(trade, "entry", 0)
        stop = add(trade, "stop", None, "stoploss")
        add(trade, "exit", 1, "sell")
        add(trade, "further entry", 2)
        Trade.commit()
        note_fill_on_record(BTC, executed("stop", 3, status))
        assert stop in trade.orders  # Freqtrade holds on to the object while it books the fill
        assert stop.ft_is_open
        assert names(trade) == ["entry", "exit", "further entry", "stop"]


def test_a_fill_that_is_told_late_goes_where_it_belongs() -> None:
    """Freqtrade booked an entry since: it moves behind the fill."""
    with a_trade() as trade:
        add(trade, "entry", 0)
        add(trade, "stop", None, "stoploss")
        add(trade, "exit", 1, "sell")
        add(trade, "further entry", 3)
        Trade.commit()
        note_fill_on_record(BTC, executed("stop", 2))
        assert names(trade) == ["entry", "exit", "stop", "further entry"]


@pytest.mark.parametrize(
    "told", [executed("stop", 3, "open"), {**executed("stop", 3), "filled": 0.0}, executed("?", 3)]
)
def test_what_has_not_filled_stays_where_it_is(told: CcxtOrder) -> None:
    """As does everything for an order that no trade has."""
    with a_trade() as trade:
        add(trade, "entry", 0)
        add(trade, "stop", None, "stoploss")
        add(trade, "exit", 1, "sell")
        Trade.commit()
        note_fill_on_record(BTC, told)
        assert names(trade) == ["entry", "stop", "exit"]


def test_who_read_a_row_before_it_moved_writes_to_no_other(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Remote control reloads a trade without Freqtrade's lock: that fails, and is done again."""
    with a_trade(f"sqlite:///{tmp_path / 't.sqlite'}") as trade:
        add(trade, "stop", None, "stoploss")
        add(trade, "exit", 1, "sell")
        Trade.commit()
        with Trade.session.session_factory() as other:
            stale = other.get(Trade, trade.id).orders[0]
            note_fill_on_record(BTC, executed("stop", 2))
            stale.status = "canceled"
            with pytest.raises(StaleDataError):
                other.commit()
        assert [row.status for row in trade.orders] == ["closed", "open"]
