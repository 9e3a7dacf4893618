"""What `/list_custom_data` shows of a trade's stop is what is known now."""

from freqtrade.rpc.rpc import RPC

from tests.integration.hands import guarding, keeper
from tests.integration.rig import BTC, ETH, Rig, force_entry, record


def test_a_step_that_was_added_is_shown(rig: Rig) -> None:
    """The keeper adds to the steps of a stop after they were put on record."""
    bot = rig.bot()
    trade = force_entry(bot, BTC)
    assert trade is not None
    bot.process()
    keeper(bot).book.of(BTC).steps.append("added since")
    bot.process()
    assert record(bot, trade)["steps"] == ["added since"]


def test_closed_trades_are_forgotten(rig: Rig) -> None:
    """What is on record of each trade is kept in memory for as long as it is open."""
    bot = rig.bot()
    closed, still_open = force_entry(bot, BTC), force_entry(bot, ETH)
    assert closed is not None
    assert still_open is not None
    bot.process()
    books = guarding(bot)._books
    assert set(books._recorded) == {closed.id, still_open.id}
    RPC(bot)._rpc_force_exit(str(closed.id))
    for _ in range(2):
        bot.process()
    assert set(books._recorded) == {still_open.id}
