"""What `/list_custom_data` shows of a trade's stop is what is known now."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from tests.inside import manager, reconciliation, stop_service
from tests.integration.hands import cancel_by_hand
from tests.integration.rig import BTC, ETH, Rig, force_entry, record, until


def test_a_step_that_was_added_is_shown(rig: Rig) -> None:
    """The manager adds to the steps of a stop after they were put on record."""
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    bot.process()
    manager(bot).book.of(BTC).steps.append("added since")
    bot.process()
    assert record(bot, trade)["steps"] == ["added since"]


def test_closed_trades_are_forgotten(rig: Rig) -> None:
    """What is on record of each trade is kept in memory for as long as it is open."""
    bot = rig.bot()
    closed, still_open = force_entry(bot, BTC), force_entry(bot, ETH)
    assert closed is not None
    assert still_open is not None
    bot.process()
    books = reconciliation(bot)._updater
    assert set(books._recorded) == {closed.id, still_open.id}
    RPC(bot)._rpc_force_exit(str(closed.id))
    for _ in range(2):
        bot.process()
    assert set(books._recorded) == {still_open.id}


@contextmanager
def full_disk() -> Iterator[None]:
    """Refuse every commit, as SQLite does while the disk is full."""

    def refuse(_: object) -> None:
        raise OperationalError("COMMIT", None, sqlite3.OperationalError("disk is full"))

    engine = Trade.session.get_bind()
    event.listen(engine, "commit", refuse)
    try:
        yield
    finally:
        event.remove(engine, "commit", refuse)


def test_after_a_full_disk_the_books_are_kept_again(
    rig: Rig, same: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A commit that failed shuts a session, and custom data have a session of their own."""
    bot = rig.bot(**same)
    trade = force_entry(bot, BTC)
    assert trade is not None
    (first,) = rig.live_stops("BTCUSDT")
    with full_disk():
        cancel_by_hand(rig, first.algo_id)
        until(lambda: any(s is not first for s in rig.live_stops("BTCUSDT")))
        stop_service(bot).loop()
    caplog.clear()
    for _ in range(2):
        bot.process()
    (second,) = rig.live_stops("BTCUSDT")
    assert record(bot, trade)["id"] == str(second.algo_id)
    assert [order.order_id for order in trade.open_sl_orders] == [str(second.algo_id)]
    assert "[ALERT]" not in caplog.text
