"""What the order book says of an entry: the price at which its order fills, and the spread."""

from collections.abc import Callable
from math import isnan

from qt_protections.portfolio.account import Account
from qt_protections.portfolio.stop_view import StopView
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.rules.stop_price import check_spread


class BookPrices:
    """Asks for the best prices of a pair where an entry's own price does not tell enough."""

    def __init__(self, account: Account, stops: Callable[[], StopView], *, live: bool) -> None:
        """Take who knows the prices.

        Args:
            account: Who knows the price that Freqtrade found.
            stops: Gives who knows the best prices: the stops are attached later than the sizer.
            live: Whether there is a book.
        """
        self._account = account
        self._stops = stops
        self._live = live

    def at_fill(self, wish: EntryRequest) -> EntryRequest:
        """Return an entry at the price at which its order can fill.

        A buy limit above the ask fills at the ask. By the limit, the entry's stop would stand above
        the market, and trigger at once. The book is asked only about a price that somebody has
        given: Freqtrade's own price is one of the best prices.
        """
        account, is_short = self._account, wish.is_short
        if not self._live or account.is_best_price(wish.pair, wish.rate, is_short=is_short):
            return wish
        quote = self._stops().quote(wish.pair)
        if quote is None:
            return wish
        rate = quote.fill_price(wish.rate, is_short=is_short, slack=account.fill_slack)
        return wish._replace(rate=rate)

    def check_spread(self, allowance: ApprovedEntry) -> Denial | None:
        """Refuse an entry whose stop stands within the spread, or may.

        Ask this check last: where nobody watches the prices, the spread costs a request.
        """
        wish, quote = allowance.wish, self._stops().quote(allowance.wish.pair)
        if quote is None:
            return None
        if isnan(quote.spread):
            text = (
                "whether its stop would stand within the spread is not known: the exchange has "
                "not told the pair's best prices since the start"
            )
            return deny(DenyCode.SPREAD_UNKNOWN, text)
        return check_spread(
            wish.rate, allowance.stop, is_short=wish.is_short, spread_ratio=quote.spread
        )
