"""The simulated trailing stop, on real trades and under Freqtrade's own look at stops."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ccxt import TICK_SIZE
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, ExitType, RunMode
from freqtrade.persistence import LocalTrade
from freqtrade.strategy import IStrategy
from freqtrade.strategy.strategy_helper import stoploss_from_absolute
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.guard import QTGuard
from tests.integration.strategies import Quiet

OPENED = datetime(2025, 1, 1, tzinfo=UTC)
#: Freqtrade rounds stops towards the price, the last binary digit's noise with them.
A_TICK = 0.01 + 1e-9


class Plain(Quiet):
    """Ten times leverage: the stop stands 2 % away, which is 1 R."""

    minimal_roi = {0: 10}  # these three as the loader leaves them
    use_exit_signal = False
    ignore_roi_if_entry_signal = False
    stoploss = -0.2


class OwnStop(Plain):
    """It wants its stop at 97 % of the entry, or a close stop once 4 % are gained."""

    use_custom_stoploss = True

    def custom_stoploss(  # type: ignore[override]
        self, trade: LocalTrade, current_rate: float, **kwargs: Any
    ) -> float:
        """Follow by 0.5 % from a gain of 4 %, else stand where the fixed stop stands."""
        side = -1 if trade.is_short else 1
        gain = side * (current_rate / trade.open_rate - 1)
        distance = 0.005 if gain > 0.0399 else 0.2
        return stoploss_from_absolute(
            current_rate * (1 - side * distance), current_rate, trade.is_short, trade.leverage
        )


class OwnTrailing(Plain):
    """Freqtrade's trailing stop, 1 % behind from a gain of 3 %."""

    trailing_stop = True
    trailing_stop_positive = 0.1
    trailing_stop_positive_offset = 0.3
    trailing_only_offset_is_reached = True


class Raising(Plain):
    """Its own stop fails whenever it is asked."""

    use_custom_stoploss = True

    def custom_stoploss(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Fail."""
        raise RuntimeError("forced by a test")


class GuardedPlain(QTGuard, Plain):
    """Plain, guarded."""


class GuardedOwnStop(QTGuard, OwnStop):
    """OwnStop, guarded."""


class GuardedOwnTrailing(QTGuard, OwnTrailing):
    """OwnTrailing, guarded."""


class GuardedRaising(QTGuard, Raising):
    """Raising, guarded."""


def started(kind: type[IStrategy], folder: Path, **qt: object) -> IStrategy:
    """Return a strategy at its post."""
    config: Any = {
        "datadir": folder,
        "exportdirectory": folder,
        "dataformat_ohlcv": "feather",
        "candle_type_def": CandleType.FUTURES,
        "trading_mode": "futures",
        "dry_run": True,
        "stake_currency": "USDT",
        "timeframe": "1m",
        "runmode": RunMode.BACKTEST,
        # No exchange is there to tell of liquidation.
        "qt": {
            "liquidation_buffer": None,
            "trail_callback": 1.5,
            "trail_activation": 1.0,
            **qt,
        },
    }
    strategy = kind(config)
    strategy.order_types = {**strategy.order_types, "stoploss_on_exchange": False}
    strategy.dp = DataProvider(config, None)
    strategy.ft_bot_start()
    return strategy


def opened(*, is_short: bool, leverage: float = 10) -> LocalTrade:
    """Return a trade that just filled at 1000, before any look at its stop."""
    trade = LocalTrade(
        pair="BTC/USDT:USDT", stake_amount=100, amount=1, is_open=True, open_rate=1000.0,
        fee_open=0, fee_close=0, exchange="binance", leverage=leverage, is_short=is_short,
        price_precision=0.01, precision_mode_price=TICK_SIZE, open_date=OPENED,
    )  # fmt: skip
    trade.adjust_stop_loss(1000.0, -0.02 * leverage, initial=True)
    return trade


def candle(
    strategy: IStrategy, trade: LocalTrade, minute: int, *, least: float, most: float
) -> list[ExitType]:
    """Show a candle, in gain of price from the entry: 20 is 20 up for a long, down for a short."""
    side = -1 if trade.is_short else 1
    low, high = sorted((1000 + side * least, 1000 + side * most))
    exits = strategy.should_exit(
        trade,  # type: ignore[arg-type]
        1000 + side * least,
        OPENED + timedelta(minutes=minute),
        enter=False,
        exit_=False,
        low=low,
        high=high,
    )
    return [e.exit_type for e in exits]


def gain_at_stop(trade: LocalTrade) -> float:
    """Return the gain of price if the stop is hit."""
    return (trade.stop_loss or 0.0) - 1000 if not trade.is_short else 1000 - (trade.stop_loss or 0)


@pytest.fixture(params=[False, True], ids=["long", "short"])
def is_short(request: pytest.FixtureRequest) -> bool:
    """Both sides, mirrored at the entry."""
    return bool(request.param)


def test_it_starts_at_the_activation_and_follows_the_best_price(
    is_short: bool, tmp_path: Path
) -> None:
    """By hand: 1 R is 20, so it starts at 1020; at 1050 the stop is 1.5 % behind."""
    strategy, trade = started(GuardedPlain, tmp_path), opened(is_short=is_short)
    assert candle(strategy, trade, 1, least=-10, most=19.9) == []
    assert gain_at_stop(trade) == pytest.approx(-20)
    assert not trade.is_stop_loss_trailing
    assert candle(strategy, trade, 2, least=15, most=20) == []
    assert gain_at_stop(trade) == pytest.approx(5.3 if is_short else 4.7, abs=A_TICK)
    assert candle(strategy, trade, 3, least=40, most=50) == []
    behind = 50 - (0.015 * 950 if is_short else 0.015 * 1050)
    assert gain_at_stop(trade) == pytest.approx(behind, abs=A_TICK)
    assert candle(strategy, trade, 4, least=36, most=40) == []
    assert gain_at_stop(trade) == pytest.approx(behind, abs=A_TICK)
    assert candle(strategy, trade, 5, least=30, most=45) == [ExitType.TRAILING_STOP_LOSS]
    assert gain_at_stop(trade) == pytest.approx(behind, abs=A_TICK)


def test_a_stop_that_is_hit_does_not_move(is_short: bool, tmp_path: Path) -> None:
    """A candle that reaches both the stop and a new best price closes at the stop."""
    strategy, trade = started(GuardedPlain, tmp_path), opened(is_short=is_short)
    assert candle(strategy, trade, 1, least=-21, most=60) == [ExitType.STOP_LOSS]
    assert gain_at_stop(trade) == pytest.approx(-20)


def test_zero_trails_from_the_fill(is_short: bool, tmp_path: Path) -> None:
    """The first stop is the callback behind the entry, as soon as the fill is told."""
    strategy = started(GuardedPlain, tmp_path, trail_activation=0)
    trade = opened(is_short=is_short)
    strategy.ft_stoploss_adjust(1000, trade, OPENED, 0, 0, after_fill=True)  # type: ignore[arg-type]
    assert gain_at_stop(trade) == pytest.approx(-15, abs=A_TICK)


@pytest.mark.parametrize("off", ["trail_callback", "trail_activation"])
def test_switched_off_the_strategy_is_alone(off: str, is_short: bool, tmp_path: Path) -> None:
    """Nothing of the strategy is switched on or replaced, and no stop moves."""
    strategy, trade = started(GuardedPlain, tmp_path, **{off: None}), opened(is_short=is_short)
    assert candle(strategy, trade, 1, least=10, most=90) == []
    assert gain_at_stop(trade) == pytest.approx(-20)
    assert not strategy.use_custom_stoploss


def test_the_strategys_own_stop_counts_where_it_is_tighter(is_short: bool, tmp_path: Path) -> None:
    """Its custom_stoploss is asked on every candle, and the tighter of both stands."""
    strategy, trade = started(GuardedOwnStop, tmp_path), opened(is_short=is_short)
    candle(strategy, trade, 1, least=25, most=30)
    at_30 = 30 - (0.015 * 970 if is_short else 0.015 * 1030)
    assert gain_at_stop(trade) == pytest.approx(at_30, abs=A_TICK)
    candle(strategy, trade, 2, least=39, most=40)
    at_40 = 40 - (0.005 * 960 if is_short else 0.005 * 1040)
    assert gain_at_stop(trade) == pytest.approx(at_40, abs=A_TICK)


def test_freqtrades_trailing_counts_where_it_is_tighter(is_short: bool, tmp_path: Path) -> None:
    """Before its offset the guard's stop stands, behind it Freqtrade's closer one."""
    strategy, trade = started(GuardedOwnTrailing, tmp_path), opened(is_short=is_short)
    candle(strategy, trade, 1, least=20, most=25)
    at_25 = 25 - (0.015 * 975 if is_short else 0.015 * 1025)
    assert gain_at_stop(trade) == pytest.approx(at_25, abs=A_TICK)
    candle(strategy, trade, 2, least=31, most=35)
    at_35 = 35 - (0.01 * 965 if is_short else 0.01 * 1035)
    assert gain_at_stop(trade) == pytest.approx(at_35, abs=A_TICK)


def test_in_the_candle_of_the_fill_a_strategy_that_trails_is_alone(
    is_short: bool, tmp_path: Path
) -> None:
    """Freqtrade would close it there at its own offset, which the price has not reached."""
    alone, trailed = opened(is_short=is_short), opened(is_short=is_short)
    strategy = started(GuardedOwnTrailing, tmp_path)
    candle(strategy, alone, 0, least=0, most=29)
    assert gain_at_stop(alone) == pytest.approx(-20)
    candle(strategy, alone, 1, least=16, most=18)
    behind_29 = 29 - (0.015 * 971 if is_short else 0.015 * 1029)
    assert gain_at_stop(alone) == pytest.approx(behind_29, abs=A_TICK)
    assert candle(started(GuardedPlain, tmp_path), trailed, 0, least=0, most=29) != []
    assert gain_at_stop(trailed) > 10


def test_a_strategy_whose_own_stop_fails_is_trailed_all_the_same(
    is_short: bool, tmp_path: Path
) -> None:
    """An error of the strategy's costs its own stop only."""
    strategy, trade = started(GuardedRaising, tmp_path), opened(is_short=is_short)
    assert candle(strategy, trade, 1, least=30, most=40) == []
    assert gain_at_stop(trade) > 20


@pytest.mark.parametrize("kind", [Plain, OwnStop, OwnTrailing])
@given(path=st.lists(st.tuples(st.floats(-15, 19.9), st.floats(-15, 19.9)), max_size=8))
def test_before_the_activation_nothing_changes(
    kind: type[IStrategy], tmp_path_factory: pytest.TempPathFactory, path: list[Any]
) -> None:
    """Short of the activation, stops and exits are those of the unguarded strategy."""
    guarded_kind = type("Guarded", (QTGuard, kind), {})
    folder = tmp_path_factory.getbasetemp()
    plain, guarded = started(kind, folder), started(guarded_kind, folder)
    for side in (False, True):
        alone, trailed = opened(is_short=side), opened(is_short=side)
        for minute, ends in enumerate(path):
            least, most = sorted(ends)
            first = candle(plain, alone, minute, least=least, most=most)
            assert candle(guarded, trailed, minute, least=least, most=most) == first
            assert alone.stop_loss == trailed.stop_loss
            assert alone.stop_loss_pct == trailed.stop_loss_pct


@given(
    st.lists(st.tuples(st.floats(-19, 200), st.floats(-19, 200)), max_size=12),
    st.sampled_from([GuardedPlain, GuardedOwnStop, GuardedOwnTrailing]),
    st.booleans(),
)
def test_never_looser_than_before_nor_than_the_rule(
    tmp_path_factory: pytest.TempPathFactory,
    path: list[Any],
    kind: type[IStrategy],
    short: bool,
) -> None:
    """The stop only moves closer, and once active it is at most the callback behind the best."""
    strategy, trade = started(kind, tmp_path_factory.getbasetemp()), opened(is_short=short)
    best, before = 0.0, gain_at_stop(trade)
    for minute, ends in enumerate(path, start=1):
        least, most = sorted(ends)
        if candle(strategy, trade, minute, least=least, most=most):
            return
        best = max(best, most)
        assert gain_at_stop(trade) >= before
        before = gain_at_stop(trade)
        if best >= 20:
            price = 1000 + (-best if short else best)
            assert before >= best - 0.015 * price - 1e-6
