"""Two lists of trades: whether they are one and the same, and the first difference in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

#: One trade as Freqtrade's backtest exports it.
Trade = dict[str, Any]

#: What has to be the same of each trade, and how a person calls it.
FIELDS = {
    "pair": "pair",
    "is_short": "short",
    "open_date": "opened",
    "enter_tag": "enter tag",
    "leverage": "leverage",
    "open_rate": "entry",
    "close_date": "closed",
    "close_rate": "exit",
    "exit_reason": "exit reason",
    "amount": "amount",
    "stake_amount": "stake",
    "initial_stop_loss_abs": "first stop",
    "stop_loss_abs": "last stop",
    "orders": "number of orders",
}
#: What says that two trades are the same decision.
_IDENTITY = ("open_date", "pair", "is_short")


@dataclass(frozen=True, slots=True)
class Backtested:
    """What a backtest did: its trades, and from when on it tested."""

    trades: Sequence[Trade]
    began: str


def difference(plain: Backtested, guarded: Backtested) -> str | None:
    """Return the first difference of two backtests in plain words; None without one."""
    if plain.began != guarded.began:
        return f"the plain backtest begins {plain.began}, the guarded one {guarded.began}"
    pairs = zip_longest(_in_order(plain.trades), _in_order(guarded.trades))
    for number, (own, other) in enumerate(pairs, 1):
        told = _first_of(own, other)
        if told is not None:
            return f"trade {number}: {told}"
    return None


def _in_order(trades: Sequence[Trade]) -> list[Trade]:
    return sorted(trades, key=_identity)


def _identity(trade: Trade) -> tuple[Any, ...]:
    return tuple(trade[name] for name in _IDENTITY)


def _first_of(plain: Trade | None, guarded: Trade | None) -> str | None:
    if plain is None or (guarded is not None and _identity(guarded) < _identity(plain)):
        assert guarded is not None  # noqa: S101  one of the two is there
        return f"the guarded one alone opens {_named(guarded)}"
    if guarded is None or _identity(guarded) != _identity(plain):
        return f"the plain one alone opens {_named(plain)}"
    apart = [
        f"{word} {_told(plain, name)} plain, {_told(guarded, name)} guarded"
        for name, word in FIELDS.items()
        if _value(plain, name) != _value(guarded, name)
    ]
    return f"{_named(plain)}: {'; '.join(apart)}" if apart else None


def _named(trade: Trade) -> str:
    side = "short" if trade["is_short"] else "long"
    return f"{trade['pair']} {side} of {str(trade['open_date'])[:16]}"


def _value(trade: Trade, name: str) -> Any:
    return len(trade["orders"]) if name == "orders" else trade[name]


def _told(trade: Trade, name: str) -> str:
    value = _value(trade, name)
    if name.endswith("_date"):
        return str(value)[:16]
    return f"{value:.10g}" if isinstance(value, float) else repr(value)
