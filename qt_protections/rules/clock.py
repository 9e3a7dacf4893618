"""Whether this machine's clock is near enough to the exchange's to trade by."""

from qt_protections.rules.denial import Denial, DenyCode, deny

#: Seconds from which entries are refused. Binance takes a request for 5 s after its stamp unless
#: asked for more, and none from more than 1 s ahead (-1021): a stop must not be refused for that.
MOST_SKEW_S = 5.0


def check_clock(skew_s: float) -> Denial | None:
    """Refuse entries while the clocks differ too much.

    Args:
        skew_s: Seconds this machine's clock is ahead of the exchange's; NaN counts as too much.
    """
    if abs(skew_s) < MOST_SKEW_S:
        return None
    way = "behind" if skew_s < 0 else "ahead of"
    text = (
        f"this machine's clock is {abs(skew_s):.1f} s {way} the exchange's, which may refuse a "
        "stop for that: synchronise the clock, for example by NTP"
    )
    return deny(DenyCode.CLOCK_SKEW, text, skew_s=abs(skew_s), way=way)
