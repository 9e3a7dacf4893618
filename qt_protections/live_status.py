"""The status of a running bot: gathered from the guard's objects, and written when due."""

from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from freqtrade.strategy.interface import IStrategy

from qt_protections import __version__
from qt_protections.entry.sizer import PositionSizer
from qt_protections.market.trends import Market
from qt_protections.portfolio.account import Account
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.reporting.status import Known, snapshot
from qt_protections.reporting.status_file import (
    Bot,
    StatusFile,
    StreamSeen,
    ThreadSeen,
    WatchSeen,
    status_path,
)
from qt_protections.rules.exposure import risk_of
from qt_protections.settings import Settings
from qt_protections.stops.state.client_ids import identity

if TYPE_CHECKING:
    from qt_protections.stops.monitor.monitor import Health
    from qt_protections.stops.service import StopService

#: Seconds from one status to the next while nothing changes.
_WRITE_EVERY_S = 15.0


class LiveStatus:
    """Writes down what is known, for `qt-guard status`."""

    def __init__(
        self,
        strategy: IStrategy,
        settings: Settings,
        market: Market,
        account: Account,
        sizer: PositionSizer,
        operator_log: OperatorLog,
        stops: "StopService",
    ) -> None:
        """Take whose status it is, and who knows.

        Args:
            strategy: The guarded strategy.
            settings: The guard's.
            market: The trends.
            account: What there is, and what is held.
            sizer: What may be lost.
            operator_log: What was said and counted.
            stops: The stops on the exchange.
        """
        self._regime_of = (market.regime_pair, settings.regime_timeframe)
        self._market = market
        self._account = account
        self._sizer = sizer
        self._operator_log = operator_log
        self._stops = stops
        self._bot = _bot(strategy)
        self._file = StatusFile(status_path(strategy.config["user_data_dir"], self._bot.id))
        self._written: tuple[object, ...] = ()
        self._due_at = -inf

    def update(self) -> None:
        """Write the status, if anything changed or the last one is old."""
        counts = self._operator_log.count, self._operator_log.tally.allowed.total()
        state = (counts, *self._stops.state())
        if state != self._written or monotonic() >= self._due_at:
            self._written, self._due_at = state, monotonic() + _WRITE_EVERY_S
            self.write(is_running=True)

    def write(self, *, is_running: bool) -> None:
        """Write the status now.

        Args:
            is_running: Whether the bot goes on.
        """
        now = datetime.now(UTC)
        self._file.write(lambda: snapshot(self._known(now), self._bot, now, is_running=is_running))

    def _known(self, now: datetime) -> Known:
        exposures, costs_of = self._account.exposures(), self._account.costs
        health = self._stops.health
        return Known(
            regime_of=self._regime_of,
            trend=self._market.global_trend(now),
            currency=self._account.currency,
            equity=self._account.equity(),
            exposures=exposures,
            limits=self._sizer.limits(risk_of(exposures, costs_of)),
            costs_of=costs_of,
            stop_state=self._stops.stop_state,
            refused=list(self._operator_log.refused.values()),  # remote control may add to it
            watch=None if health is None else _watch_seen(health, now),
            tally=self._operator_log.tally,
        )


def _bot(strategy: IStrategy) -> Bot:
    name = strategy.config.get("bot_name", "")
    return Bot(
        id=identity(name, strategy.config["db_url"]),
        name=name,
        strategy=strategy.get_strategy_name(),
        mode=strategy.dp.runmode.value,
        version=__version__,
        started_at=datetime.now(UTC),
    )


def _watch_seen(health: "Health", now: datetime) -> WatchSeen:
    return WatchSeen(
        threads=tuple(
            ThreadSeen(each.name, each.life.value, each.restarts, round(each.silent_s, 1))
            for each in health.threads
        ),
        stream=StreamSeen(health.stream.value, now - timedelta(seconds=health.stream_s)),
        looked_s=None if health.looked_s is None else round(health.looked_s, 1),
    )
