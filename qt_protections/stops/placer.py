"""Sending an order that protects, and what follows when the exchange says no or says nothing."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic, sleep

from qt_protections.errors import withhold_secrets
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.retry_policy import (
    Outcome,
    Purpose,
    Step,
    may_reprice,
    next_step,
    pause_s,
    reprice,
)
from qt_protections.stops.state.client_ids import Namer, Role
from qt_protections.stops.state.stop import Stop, StopStatus, stop_status
from qt_protections.stops.venue.protocol import (
    CcxtOrder,
    CloseOrder,
    Rank,
    RequestError,
    StopOrder,
    TrailingOrder,
    Venue,
)
from qt_protections.stops.venue.settling import settle

logger = withhold_secrets(logging.getLogger(__name__))

#: How a conditional order is told of that will never trigger. Some exchanges tell no status.
_ENDED = frozenset({"rejected", "expired", "canceled"})


class Unplaced(Exception):  # noqa: N818  states the fact
    """An order could not be placed.

    Attributes:
        step: What the rules say to do next.
        refusal: What the exchange meant by its last no.
        unanswered: Whether the exchange never judged it: the answer was lost, or it turned away
            whatever came. The order may stand all the same.
        passing: Whether it may well be taken later; it was tried again as often as is sensible.
        steps: What was tried, one line each.
    """

    def __init__(self, step: Step, failure: RequestError, steps: tuple[str, ...]) -> None:
        super().__init__(str(failure))
        self.passing = step is Step.AGAIN
        self.step = Step.GIVE_UP if self.passing else step
        self.refusal = failure.refusal
        self.unanswered = failure.outcome is not Outcome.REFUSED
        self.steps = steps


@dataclass(frozen=True, slots=True)
class Placed:
    """A stop the exchange accepted, what it took, and the milliseconds from first try to answer."""

    stop: Stop
    steps: tuple[str, ...]
    latency_ms: float


@dataclass(slots=True)
class _Attempt:
    purpose: Purpose
    role: Role
    pair: str
    send: Callable[[str], CcxtOrder]
    find: Callable[[str], CcxtOrder | None]
    until: float = inf
    steps: list[str] = field(default_factory=list)


class Placer:
    """Places stops, trailing stops and emergency closes, each by a name of its own."""

    def __init__(self, venue: Venue, namer: Namer, pause: Callable[[float], None] = sleep) -> None:
        self._venue = venue
        self._namer = namer
        self._pause = pause

    def stop(self, order: StopOrder, purpose: Purpose, until: float = inf) -> Placed:
        """Place a stop; one the price has just passed is re-priced once.

        Args:
            order: The stop.
            purpose: What it is for.
            until: When to stop trying, on this process's monotonic clock. A try that is under way
                then is waited for.

        Raises:
            Unplaced: If the exchange did not take it, or did not say so.
        """
        began = monotonic()
        if purpose is Purpose.STOP_MOVE and not self._venue.has_room(Rank.MOVE):
            text = "what the exchange allows in this minute is left to what protects"
            raise Unplaced(Step.GIVE_UP, RequestError(text, Outcome.NOT_EXECUTED), ())
        logger.info("[SHIELD] Placing IMMEDIATE SL for %s", symbol_of(order.pair))
        attempt = self._stop_attempt(order, purpose, until)
        try:
            answer = self._carry_out(attempt)
        except Unplaced as refusal:
            if refusal.step is not Step.REPRICE:
                raise
            order = replace(order, trigger=self._beyond_the_price(order, refusal))
            attempt = replace(self._stop_attempt(order, purpose, until), steps=attempt.steps)
            self._note(attempt, f"re-priced to {order.trigger:.10g}")
            answer = self._carry_out(attempt)
        stop = Stop.of(order.pair, answer, order.amount, order.trigger)
        logger.info("[OK] SL placed successfully: order ID %s", stop.order_id)
        return Placed(stop, tuple(attempt.steps), (monotonic() - began) * 1000)

    def trailing(self, order: TrailingOrder) -> Stop:
        """Place a trailing stop; one whose activation price has been passed trails from now.

        Raises:
            Unplaced: If the exchange did not take it, or did not say so.
        """
        try:
            answer = self._carry_out(self._trailing_attempt(order))
        except Unplaced as refusal:
            if refusal.step is not Step.WITHOUT_ACTIVATION:
                raise
            answer = self._carry_out(self._trailing_attempt(replace(order, activation=None)))
        return Stop.trailing(order.pair, answer, order.amount)

    def close(self, order: CloseOrder) -> CcxtOrder:
        """Close a position at market.

        Raises:
            Unplaced: If the exchange did not take it: most often because nothing is left to close.
        """
        return self._carry_out(
            _Attempt(
                Purpose.EMERGENCY_CLOSE,
                Role.EMERGENCY_CLOSE,
                order.pair,
                lambda name: self._venue.close(order, name),
                lambda name: self._venue.find_order(order.pair, client_id=name),
            )
        )

    def _stop_attempt(self, order: StopOrder, purpose: Purpose, until: float) -> _Attempt:
        return _Attempt(
            purpose,
            Role.STOP,
            order.pair,
            lambda name: self._venue.place_stop(order, name),
            lambda name: self._venue.find_stop(order.pair, client_id=name),
            until,
        )

    def _trailing_attempt(self, order: TrailingOrder) -> _Attempt:
        return _Attempt(
            Purpose.TRAILING,
            Role.TRAILING,
            order.pair,
            lambda name: self._venue.place_trailing(order, name),
            lambda name: self._venue.find_stop(order.pair, client_id=name),
        )

    def _beyond_the_price(self, order: StopOrder, refusal: Unplaced) -> float:
        try:
            price, tick = self._venue.price(order.pair), self._venue.tick(order.pair)
        except RequestError as error:
            raise Unplaced(Step.GIVE_UP, error, refusal.steps) from refusal
        if not may_reprice(order.is_short, order.trigger, price):
            refusal.step = Step.GIVE_UP
            raise refusal
        beyond = reprice(order.is_short, price, tick)
        # The price may have turned meanwhile: a stop is not moved closer for a wick's sake.
        return max(order.trigger, beyond) if order.is_short else min(order.trigger, beyond)

    def _carry_out(self, attempt: _Attempt) -> CcxtOrder:
        """Send until it is accepted, settled by its name, or the rules say to stop."""
        name = self._namer.new(attempt.role, attempt.pair)
        tries = 0
        failure: RequestError
        while True:
            try:
                return _alive(attempt, attempt.send(name))
            except _DeadOnArrivalError as error:
                failure, name = error, self._namer.new(attempt.role, attempt.pair)
            except RequestError as error:
                failure = error
            tries += 1
            step = next_step(attempt.purpose, failure.refusal, failure.outcome)
            self._note(attempt, f"{failure.code or failure.outcome.name}: {step.value}")
            if step in (Step.QUERY, Step.NEW_CLIENT_ID):
                told, found = self._ask(attempt, name)
                if found is not None:
                    return found
                if step is Step.NEW_CLIENT_ID and told:
                    name = self._namer.new(attempt.role, attempt.pair)
                # The same name again: were the first still to arrive, this one is refused. Where
                # names are unknown nothing is sent twice.
                step = Step.AGAIN if self._venue.WATCHES else Step.GIVE_UP
            pause = pause_s(attempt.purpose, tries) if step is Step.AGAIN else None
            if pause is None or monotonic() >= attempt.until:
                try:
                    raise Unplaced(step, failure, tuple(attempt.steps)) from failure
                finally:
                    del failure  # which knows this frame, see `Connection`
            self._pause(min(pause, max(0.0, attempt.until - monotonic())))

    def _ask(self, attempt: _Attempt, name: str) -> tuple[bool, CcxtOrder | None]:
        """Return whether the exchange told of the order, and the order if it stands."""
        told = settle(lambda: attempt.find(name), f"{name} of {attempt.pair}", (0.0,), self._pause)
        found = told.order
        if not told.is_told:
            attempt.steps.append("asking failed")
            return False, None
        if found is None or (
            attempt.role is not Role.EMERGENCY_CLOSE and stop_status(found) is StopStatus.GONE
        ):
            return True, None
        self._note(attempt, "found by its client id")
        return True, found

    def _note(self, attempt: _Attempt, text: str) -> None:
        attempt.steps.append(text)
        logger.warning(
            "[SHIELD] %s of %s: %s", attempt.purpose.value, symbol_of(attempt.pair), text
        )


class _DeadOnArrivalError(RequestError):
    """A conditional order the exchange answered with success, and had ended by then."""


def _alive(attempt: _Attempt, answer: CcxtOrder) -> CcxtOrder:
    """Return the answer, unless the order it tells of protects nothing.

    Binance may answer HTTP 200 with `algoStatus` REJECTED or EXPIRED.
    """
    if attempt.role is not Role.EMERGENCY_CLOSE and answer.get("status") in _ENDED:
        raise _DeadOnArrivalError(f"accepted, and {answer['status']} at once", Outcome.REFUSED)
    return answer
