"""Every knob of the guard: type, unit, default, bounds, and where its value came from.

Precedence: environment (`QT_...`) over the `"qt"` block of config.json over the default. A value
that cannot be read or lies outside its bounds stops the start with one sentence. The settings of
the trailing stop alone are more lenient: a broken one switches trailing off, because it must not
keep the fixed stop from protecting.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX = "QT_"

#: Freqtrade's candle intervals that can serve as a regime's; one month has no fixed length.
Timeframe = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]

#: Where a stop's distance comes from.
StopSource = Literal["strategy", "fixed", "atr"]

#: What equity is, when a share of it is put at risk.
RiskEquity = Literal["balance", "balance_less_open_risk"]

#: What becomes of an entry on the losing side of its position.
AveragingDown = Literal["refuse", "share"]

#: When a position's stop goes out.
StopPlacement = Literal["auto", "before_entry", "on_fill"]

#: Binance takes a callback rate in whole tenths of a per cent, and answers -2007 to any other.
CALLBACK_STEP = Decimal("0.1")

#: What the environment says for None, as the configuration does.
NULL = "null"


@dataclass(frozen=True, slots=True)
class Unit:
    """Annotation that carries a setting's unit to the people who read it."""

    name: str


@dataclass(frozen=True, slots=True)
class Off:
    """Annotation of a setting that switches a rule: the value at which the rule changes nothing."""

    value: object


@dataclass(frozen=True, slots=True)
class Step:
    """Annotation of a setting that is a whole number of steps."""

    size: Decimal


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004  pydantic's contract
    return value


def _none_if_invalid(value: object, parse: ValidatorFunctionWrapHandler) -> object:
    """Disable trailing instead of the bot; `load_settings` says so to the operator."""
    try:
        return parse(value)
    except ValidationError:
        return None


def _whole_steps(value: float | None) -> float | None:
    """Take a rate the exchange takes, free of the noise of binary fractions."""
    if value is None:
        return None
    exact = round(Decimal(value), 9)
    if exact % CALLBACK_STEP:
        raise ValueError(f"must be in steps of {CALLBACK_STEP}")
    return float(exact)


Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_no_bool)]


class Settings(BaseSettings):
    """The values in force. Build it with `load_settings`, which explains what it refuses."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        env_parse_none_str=NULL,
        extra="forbid",
        frozen=True,
    )

    stop_placement: Annotated[StopPlacement, Unit("moment")] = Field(
        "auto",
        description="when a stop goes out: before its entry, right after the fill, or (auto) "
        "before the entry unless the exchange refuses that",
    )
    naked_deadline: Annotated[Number, Field(ge=1.0, le=60.0), Unit("seconds")] = Field(
        5.0,
        description="a position without cover is closed at market so long after its first stop "
        "failed, whatever kind the failures are",
    )
    trail_callback: Annotated[
        Number | None,
        Field(ge=0.1, le=5.0),
        AfterValidator(_whole_steps),
        WrapValidator(_none_if_invalid),
        Unit("% of price"),
        Step(CALLBACK_STEP),
        Off(None),
    ] = Field(
        None,
        description="callback rate of the guard's own trailing stop, 1.5 is 1.5 %; null: the guard "
        "trails nothing",
    )
    trail_activation: Annotated[
        Number | None, Field(ge=0.0, le=20.0), WrapValidator(_none_if_invalid), Unit("R")
    ] = Field(
        1.0,
        description="gain from which the stop trails, in multiples of the initial risk (entry to "
        "initial stop); 0 trails from the fill",
    )
    stop_source: Annotated[StopSource, Unit("source"), Off("strategy")] = Field(
        "strategy",
        description="where a stop's distance comes from: the strategy's stoploss, stop_fixed, or "
        "stop_atr_multiple times the ATR",
    )
    stop_fixed: Annotated[Number, Field(ge=0.05, le=50.0), Unit("% of price")] = Field(
        1.0, description="entry to stop, if stop_source is fixed"
    )
    stop_atr_multiple: Annotated[Number, Field(ge=0.1, le=20.0), Unit("ATR")] = Field(
        2.0, description="entry to stop, if stop_source is atr"
    )
    stop_atr_candles: Annotated[Count, Field(ge=2, le=500), Unit("candles")] = Field(
        14, description="candles of the strategy's own interval the ATR is taken from"
    )
    min_stop: Annotated[Number, Field(ge=0.0, le=10.0), Unit("% of price"), Off(0.0)] = Field(
        0.2, description="no stop is set closer to its entry, whatever its source"
    )
    max_stop: Annotated[Number | None, Field(ge=0.1, le=50.0), Unit("% of price"), Off(None)] = (
        Field(
            None,
            description="no stop is set farther from its entry, whatever its source; null: as far "
            "as the source says",
        )
    )
    stop_slippage: Annotated[Number, Field(ge=0.0, le=5.0), Unit("% of price")] = Field(
        0.05, description="how far beyond its trigger a stop is expected to fill; sizes count it in"
    )
    risk_per_trade: Annotated[
        Number | None, Field(ge=0.1, le=2.0), Unit("% of equity"), Off(None)
    ] = Field(
        0.75,
        description="share of equity lost if the stop is hit, costs included; null: stakes stay "
        "what the bot and the strategy make them",
    )
    averaging_down: Annotated[AveragingDown, Unit("rule")] = Field(
        "refuse",
        description="an entry on the losing side of its position: refuse gives it what is left of "
        "the trade's risk_per_trade, if anything; share divides that over all entries the strategy "
        "may make",
    )
    risk_equity: Annotated[RiskEquity, Unit("equity")] = Field(
        "balance",
        description="what the shares are of: the balance without unrealised profit, or that less "
        "what the open positions may lose at their stops",
    )
    max_open_risk: Annotated[
        Number | None, Field(ge=0.1, le=100.0), Unit("% of equity"), Off(None)
    ] = Field(
        3.0,
        description="share of equity all positions together may lose at their stops; null: no such "
        "limit",
    )
    max_group_risk: Annotated[
        Number | None, Field(ge=0.1, le=100.0), Unit("% of equity"), Off(None)
    ] = Field(
        None,
        description="the same for positions that lose when the regime's pair moves the same way; "
        "null: no such limit",
    )
    group_beta: Annotated[Number, Field(ge=0.0, le=5.0), Unit("beta")] = Field(
        0.5,
        description="beta to the regime's pair from which a symbol counts as moving with it; an "
        "unknown beta counts as 1",
    )
    liquidation_buffer: Annotated[
        Number | None, Field(ge=0.0, le=500.0), Unit("% of the stop's distance"), Off(None)
    ] = Field(
        25.0,
        description="how much farther than its stop a position must be from its liquidation; "
        "leverage is lowered until it is; null: leverage stays the strategy's",
    )
    max_positions_per_symbol: Annotated[
        Count | None, Field(ge=1, le=5), Unit("entries"), Off(None)
    ] = Field(
        2,
        description="entries one symbol (base currency) may hold at once; null: no such limit",
    )
    stack_entries: Annotated[bool, Unit("switch"), Off(False)] = Field(
        False,
        description="whether a signal that repeats adds an entry to its position, up to the limits",
    )
    stack_distance: Annotated[Number, Field(ge=0.0, le=10.0), Unit("R")] = Field(
        0.5,
        description="how far the price must be from the last entry for a signal to add another, in "
        "multiples of the initial risk",
    )
    count_foreign_positions: Annotated[bool, Unit("switch")] = Field(
        True,
        description="whether positions no trade accounts for (opened by hand or another bot) count "
        "toward the limits",
    )
    locks_hold_forced_entries: Annotated[bool, Unit("switch"), Off(False)] = Field(
        True,
        description="whether a pair's lock refuses a new position that somebody forces; plain "
        "Freqtrade lets it through",
    )
    uptrend_short_exception_conf: Annotated[
        Number, Field(ge=0.0, le=1.0), Unit("ratio"), Off(0.0)
    ] = Field(
        0.65, description="least confidence of the rare short; 0.0 switches short blocking off"
    )
    regime_pair: Annotated[str | None, Field(pattern=r"^[^/\s]+/[^/\s]+$"), Unit("pair")] = Field(
        None, description="pair of the global regime; unset: BTC on the stake currency"
    )
    regime_timeframe: Annotated[Timeframe, Unit("interval")] = Field(
        "4h", description="candles of the global regime"
    )
    local_timeframe: Annotated[Timeframe | None, Unit("interval")] = Field(
        None, description="candles of a symbol's own EMA200; unset: the regime's"
    )
    confidence_column: Annotated[str, Field(min_length=1), Unit("column")] = Field(
        "confidence", description="column of the strategy's frame with the signal's confidence"
    )
    hyperopt_summary: Annotated[bool, Unit("switch")] = Field(
        False,
        description="whether each epoch of hyperopt says in the log what the guard did to its "
        "entries; a backtest always does",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the configuration, which comes as init arguments."""
        return env_settings, init_settings

    @field_validator("max_stop")
    @classmethod
    def _leaves_room(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value is not None and value < info.data.get("min_stop", 0.0):
            raise ValueError(f"must not be below min_stop, which is {info.data['min_stop']}")
        return value

    @property
    def stop_atr(self) -> int | None:
        """Candles of the ATR that stops are taken from; None if they are not."""
        return self.stop_atr_candles if self.stop_source == "atr" else None

    @property
    def local_interval(self) -> str:
        """The interval of a symbol's own EMA200."""
        return self.local_timeframe or self.regime_timeframe

    def regime_pair_for(self, stake_currency: str, *, is_spot: bool = False) -> str:
        """Return the regime's reference pair in Freqtrade's notation for futures or spot."""
        settled_in = "" if is_spot else f":{stake_currency}"
        return self.regime_pair or f"BTC/{stake_currency}{settled_in}"
