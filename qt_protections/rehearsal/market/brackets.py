"""The leverage tables of the contracts, as Binance had them in Freqtrade's list of 2026.9."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Bracket:
    """One row of a leverage table.

    Attributes:
        leverage: Highest leverage allowed in the bracket.
        floor: Notional at which the bracket starts, in USDT.
        cap: Notional at which it ends, in USDT.
        maintenance_ratio: Maintenance margin as a ratio of notional.
        cum: Maintenance amount subtracted so that brackets join without a step, in USDT.
    """

    leverage: int
    floor: Decimal
    cap: Decimal
    maintenance_ratio: Decimal
    cum: Decimal


def table(rows: Iterable[tuple[int, Decimal, Decimal]]) -> tuple[Bracket, ...]:
    """Return the brackets for rows of leverage, cap (USDT) and maintenance ratio, smallest first.

    Each row's `cum` is the one before plus its floor times the rise of the ratio, so that the
    maintenance margin has no step.
    """
    edge = Bracket(0, Decimal(0), Decimal(0), Decimal(0), Decimal(0))
    brackets = [edge]
    for leverage, cap, ratio in rows:
        last = brackets[-1]
        cum = last.cum + last.cap * (ratio - last.maintenance_ratio)
        brackets.append(Bracket(leverage, last.cap, cap, ratio, cum))
    return tuple(brackets[1:])


# Base asset: leverage, cap in thousands of USDT, and maintenance ratio of each row.
_TABLES = """
BTC 150:300:0.004 100:800:0.005 75:3000:0.0065 50:12000:0.01 25:70000:0.02 20:100000:0.025
    10:230000:0.05 5:480000:0.1 4:600000:0.125 3:800000:0.15 2:1200000:0.25 1:1800000:0.5;
ETH 150:300:0.004 100:800:0.005 75:3000:0.0065 50:12000:0.01 25:50000:0.02 20:65000:0.025
    10:150000:0.05 5:320000:0.1 4:400000:0.125 3:530000:0.15 2:800000:0.25 1:1200000:0.5;
SOL 100:50:0.005 75:400:0.0065 50:1000:0.01 25:4000:0.02 20:8000:0.025
    10:40000:0.05 5:80000:0.1 4:100000:0.125 2:200000:0.25 1:400000:0.5;
XRP 100:40:0.005 75:80:0.006 50:150:0.01 40:400:0.0125 25:1000:0.02 20:2000:0.025
    10:10000:0.05 5:20000:0.1 4:25000:0.125 2:50000:0.25 1:100000:0.5;
ZEN 75:5:0.01 50:10:0.015 25:25:0.02 20:50:0.025 10:125:0.05
    5:250:0.1 4:500:0.125 3:1000:0.1667 2:7500:0.25 1:12500:0.5;
DOGE 75:80:0.0065 50:150:0.01 40:750:0.0125 25:2000:0.02 20:4000:0.025
    10:20000:0.05 5:40000:0.1 4:50000:0.125 2:100000:0.25 1:200000:0.5;
BNB 75:10:0.005 50:200:0.006 40:400:0.01 25:1500:0.02 20:3000:0.025
    10:15000:0.05 5:30000:0.1 4:37500:0.125 2:75000:0.25 1:150000:0.5;
TON 75:10:0.01 50:80:0.015 25:400:0.02 20:800:0.025 10:3000:0.05
    5:5000:0.1 4:6000:0.125 2:7000:0.25 1:8000:0.5;
TRX 75:10:0.0065 50:90:0.01 40:120:0.015 25:650:0.02 20:800:0.025
    10:3000:0.05 5:6000:0.1 4:12000:0.125 2:20000:0.25 1:30000:0.5;
ADA 75:10:0.005 50:50:0.01 40:200:0.015 25:1000:0.02 20:2000:0.025
    10:10000:0.05 5:20000:0.1 4:25000:0.125 2:50000:0.25 1:100000:0.5;
AVAX 75:25:0.005 50:80:0.01 40:160:0.015 25:800:0.02 20:1600:0.025
    10:8000:0.05 5:16000:0.1 4:20000:0.125 2:40000:0.25 1:80000:0.5;
LTC 75:10:0.005 50:50:0.01 40:160:0.015 25:800:0.02 20:1600:0.025
    10:8000:0.05 5:16000:0.1 4:20000:0.125 2:40000:0.25 1:80000:0.5;
LINK 75:10:0.005 50:200:0.01 40:400:0.015 25:800:0.02 20:1600:0.025
    10:8000:0.05 5:16000:0.1 4:20000:0.125 2:40000:0.25 1:80000:0.5
"""


def _row(text: str) -> tuple[int, Decimal, Decimal]:
    leverage, thousands, ratio = text.split(":")
    return int(leverage), Decimal(thousands) * 1000, Decimal(ratio)


BRACKETS: dict[str, tuple[Bracket, ...]] = {
    base: table(_row(text) for text in rows)
    for base, *rows in (line.split() for line in _TABLES.strip().split(";"))
}
