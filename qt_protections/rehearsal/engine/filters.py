"""Filters that depend on the market: how far from the mark or the trigger a price may be.

Source: PERCENT_PRICE in the common definitions of the USD-M futures API; a buyer's price has an
upper bound only, a seller's a lower one.
"""

from decimal import Decimal

from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.market.book import Side
from qt_protections.rehearsal.market.instruments import Instrument


def check_limit_price(instrument: Instrument, side: Side, price: Decimal, mark: Decimal) -> None:
    """Refuse a limit price (USDT) too far beyond the mark price: -4016 buying, -4024 selling."""
    _check(instrument, side, price, mark, (-4016, -4024))


def check_stop_limit(instrument: Instrument, side: Side, price: Decimal, trigger: Decimal) -> None:
    """Refuse a limit price (USDT) too far beyond its trigger: -4183 buying, -4184 selling."""
    _check(instrument, side, price, trigger, (-4183, -4184))


def check_counterparty(
    instrument: Instrument, side: Side, best: Decimal | None, mark: Decimal
) -> None:
    """Refuse a market order (-4131) whose counterparty's best price is too far from the mark.

    Args:
        instrument: The contract.
        side: The order's side.
        best: Best price of the other side in USDT, None if it is empty.
        mark: Mark price in USDT.
    """
    if best is None or _is_beyond(side, best, instrument.price_bound(side.sign, mark)):
        raise VenueError(-4131)


def _check(
    instrument: Instrument, side: Side, price: Decimal, reference: Decimal, codes: tuple[int, int]
) -> None:
    bound = instrument.price_bound(side.sign, reference)
    if _is_beyond(side, price, bound):
        word, code = ("higher", codes[0]) if side is Side.BUY else ("lower", codes[1])
        shown = bound.quantize(instrument.tick)
        raise VenueError(code, f"Limit price can't be {word} than {shown:f}.")


def _is_beyond(side: Side, price: Decimal, bound: Decimal) -> bool:
    return (price - bound) * side.sign > 0
