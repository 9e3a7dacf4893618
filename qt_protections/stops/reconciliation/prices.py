"""Best prices: do stops trigger where they should, and how wide is the spread of an entry."""

import logging
from dataclasses import replace
from math import nan

from qt_protections.errors import withhold_secrets
from qt_protections.rules.quote import Quote
from qt_protections.stops.manager import StopManager
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.reconciliation.isolation import apart
from qt_protections.stops.reconciliation.schedule import Schedule

logger = withhold_secrets(logging.getLogger(__name__))


class Prices:
    """The last best prices of all pairs."""

    def __init__(self, manager: StopManager, watch: StopWatch | None, schedule: Schedule) -> None:
        """Take who answers, who compares prices with triggers, and when to ask.

        Args:
            manager: Its venue tells the prices.
            watch: None where the exchange cannot be listed: no price is read there.
            schedule: How old the prices may be.
        """
        self._manager = manager
        self._watch = watch
        self._schedule = schedule
        self._quotes: dict[str, Quote] = {}

    def quote(self, pair: str) -> Quote:
        """Return a pair's best prices; NaN if they are not to be had.

        Prices are read when an entry wants to know, for all pairs at once.
        """
        if self._watch is not None and self._schedule.are_spreads_old():
            self._read(self._watch)
        return self._quotes.get(pair, Quote(nan, nan))

    def read_if_due(self, watch: StopWatch) -> None:
        """Ask for the prices at which stops should trigger, where Freqtrade did not lately."""
        if self._schedule.are_prices_due():
            self._read(watch)

    def _read(self, watch: StopWatch) -> None:
        """Note the best prices, and see whether stops trigger where they should.

        While prices cannot be read, the last spreads count.
        """
        self._schedule.prices_are_asked()
        try:
            quotes = self._manager.venue.quotes()
        except Exception as error:
            # The stops are looked after all the same.
            logger.warning("Could not read the prices: %r", error)
            known = self._quotes.items()
            self._quotes = {pair: replace(quote, is_old=True) for pair, quote in known}
            return
        self._quotes = quotes
        for held in self._manager.book:
            if held.pair in quotes:
                with apart(held.pair):
                    watch.triggers.check(held, quotes[held.pair])
