"""Closing a position at market that no stop can cover."""

import logging
from time import monotonic

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import subtract_exact
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.retry_policy import Refusal
from qt_protections.rules.stop_plan import RequiredStop, parts
from qt_protections.stops.close_booking import CloseBooking
from qt_protections.stops.placer import Placer, Unplaced
from qt_protections.stops.state.booking import book_close
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.unbooked_fill import EMERGENCY
from qt_protections.stops.venue.protocol import CloseOrder

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds between two lines in the log about a position that can neither be covered nor closed.
_SAY_EVERY_S = 10.0


class EmergencyClose:
    """Closes what this bot's trades hold of a pair; nobody else's part."""

    def __init__(self, placer: Placer, closes: CloseBooking) -> None:
        """Take who sends the close, and who books what closed a position."""
        self._placer = placer
        self._closes = closes

    def close(self, held: PairState, need: RequiredStop, why: str) -> None:
        """Close at market at once; what cannot be closed is tried again by whoever looks next.

        Args:
            held: The pair; its lock is held.
            need: What is to be closed, and its side.
            why: For the log.
        """
        is_news = monotonic() >= held.trouble.quiet_until
        if is_news:
            held.trouble.quiet_until = monotonic() + _SAY_EVERY_S
            logger.error("[ALERT] EMERGENCY CLOSE %s: %s", symbol_of(held.pair), why)
        self._closes.call_off(held)
        try:
            self._send(held, need)
        except Unplaced as refusal:
            if not refusal.unanswered:
                self._closes.book(held)  # there may be nothing left to close
            if refusal.refusal is Refusal.NO_POSITION:
                held.trouble.denied += 1
            held.steps += ["close at market failed", *refusal.steps]
            if is_news and held.own_required_stop is not None:
                logger.error(  # noqa: TRY400  the reason is in the text
                    "[ALERT] Could not close %s: %s. Trying again.", symbol_of(held.pair), refusal
                )
        else:
            held.trouble.quiet_until, held.trouble.naked_since = 0.0, None
            logger.warning("[OK] %s is closed at market.", symbol_of(held.pair))

    def _send(self, held: PairState, need: RequiredStop) -> None:
        """Close the need at market, in several orders if one may not be so large.

        Raises:
            Unplaced: If the exchange did not take one of them.
        """
        left = need.amount
        for _ in range(parts(need)):
            amount = min(left, need.largest)
            order = self._placer.close(CloseOrder(held.pair, need.is_short, amount, held.leverage))
            held.steps.append("closed at market")
            book_close(held, order, EMERGENCY)
            left = subtract_exact(left, amount)
