"""The one door of tests into the guard of a running bot; every part of the guard has its type."""

from typing import cast

from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.strategy.interface import IStrategy

from qt_protections.guard import QTGuard
from qt_protections.runtime import Runtime
from qt_protections.stops.manager import StopManager
from qt_protections.stops.monitor.monitor import Monitor
from qt_protections.stops.reconciliation.trades import TradeReconciliation
from qt_protections.stops.service import StopService
from qt_protections.stops.state.pair import PairState


def runtime_of(strategy: IStrategy) -> Runtime:
    """Return what the rules of a guarded strategy run on."""
    running = cast(QTGuard, strategy)._qt_runtime
    assert running is not None, "bot_start has not been called"
    return running


def runtime(bot: FreqtradeBot) -> Runtime:
    """Return what the rules of a bot run on."""
    return runtime_of(bot.strategy)


def stop_service(bot: FreqtradeBot) -> StopService:
    """Return what keeps a bot's positions covered."""
    service = runtime(bot).stops
    assert service is not None, "nothing is traded"
    return service


def reconciliation(bot: FreqtradeBot) -> TradeReconciliation:
    """Return what brings a bot's trades and the exchange together."""
    return stop_service(bot)._books


def manager(bot: FreqtradeBot) -> StopManager:
    """Return who places and cancels a bot's stops."""
    return reconciliation(bot)._manager


def monitor(bot: FreqtradeBot) -> Monitor:
    """Return who watches between a bot's loops."""
    watching = stop_service(bot)._monitor
    assert watching is not None, "this exchange is not watched"
    return watching


def pair_state(bot: FreqtradeBot, pair: str) -> PairState:
    """Return what is known of a pair."""
    return manager(bot).book.of(pair)
