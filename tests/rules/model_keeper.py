"""The smallest keeper there can be: it looks, asks the rules what to do, and does it."""

from collections.abc import Callable, Sequence

from qt_protections.rules.retry_policy import Purpose, Step, next_step, pause_s, reprice
from qt_protections.rules.stop_plan import LiveStop, RequiredStop, StopPlan, covered, tightest
from qt_protections.stops.venue.protocol import RequestError
from tests.rules.model_exchange import TICK, Exchange

Decide = Callable[[RequiredStop | None, Sequence[LiveStop]], StopPlan]

#: Where a stop goes that nobody remembers the place of, as a ratio of price.
DISTANCE = 0.01


class Keeper:
    """What it knows beside the exchange's own lists: where the stop belongs."""

    def __init__(self, exchange: Exchange, decide: Decide) -> None:
        """Start with nothing remembered."""
        self.exchange = exchange
        self.decide = decide
        self.before = True
        self.trigger: float | None = None

    def step(self) -> bool:
        """Look and act once; return whether nothing was left to do.

        Raises:
            RequestError: If the exchange could not be asked.
        """
        standing, position, resting = self.exchange.look()
        need = self._need(position, resting, standing)
        todo = self.decide(need, standing)
        if todo.place is not None:
            self._cover(todo.place, position, standing)
        for order_id in todo.cancel:
            self._cancel(order_id)
        return todo == StopPlan()

    def enter(self, amount: int, at_once: int, trigger: float) -> None:
        """Send an entry, its stop first where the exchange takes one; or drop it.

        Raises:
            RequestError: If it failed, or what became of it is unknown.
        """
        standing, position, resting = self.exchange.look()
        if position + resting == 0:
            self.trigger = None
        elif self.trigger is None:
            self.trigger = self._guess(standing)
        wanted = self._tightened(trigger)
        if self.before:
            need = RequiredStop(self.exchange.is_short, position + resting + amount, wanted)
            todo = self.decide(need, standing)
            if todo.place is not None and not self._stop_before(todo.place):
                return
        self.trigger = self._tightened(wanted)
        self.exchange.enter(amount, at_once, covered=self.before)

    def move(self, trigger: float) -> None:
        """Move the stop to where the strategy wants it; a refused one leaves the old in place.

        Raises:
            RequestError: If the exchange could not be asked.
        """
        standing, position, resting = self.exchange.look()
        if self.trigger is None and standing:
            self.trigger = self._guess(standing)
        if position == 0 or not any(stop.trigger == self.trigger for stop in standing):
            return  # first things first: a stop that is missing is replaced, not moved
        amount = position + (resting if self.before else 0)
        todo = self.decide(RequiredStop(self.exchange.is_short, amount, trigger), standing)
        if todo.place is not None:
            self._place(todo.place, Purpose.STOP_MOVE)
        for order_id in todo.cancel:
            self._cancel(order_id)

    def _need(
        self, position: int, resting: int, standing: Sequence[LiveStop]
    ) -> RequiredStop | None:
        if position + resting == 0:
            self.trigger = None
            return None
        amount = position + (resting if self.before else 0)
        if amount == 0:
            return None
        if self.trigger is None:
            self.trigger = self._guess(standing)
        return RequiredStop(self.exchange.is_short, amount, self.trigger)

    def _guess(self, standing: Sequence[LiveStop]) -> float:
        if standing:
            return tightest(self.exchange.is_short, *(stop.trigger for stop in standing))
        side = 1 if self.exchange.is_short else -1
        return round(self.exchange.last_price() * (1 + side * DISTANCE))

    def _tightened(self, trigger: float) -> float:
        known = [] if self.trigger is None else [self.trigger]
        return tightest(self.exchange.is_short, trigger, *known)

    def _stop_before(self, need: RequiredStop) -> bool:
        failed = self._place(need, Purpose.STOP_BEFORE_ENTRY)
        if failed is Step.ON_FILL:
            self.before = False
        return failed in (None, Step.ON_FILL)

    def _cover(self, need: RequiredStop, position: int, standing: Sequence[LiveStop]) -> None:
        if position == 0:
            if not self._stop_before(need):
                self.exchange.cancel_entries()
            return
        if self._place(need, Purpose.STOP_OF_POSITION) is None:
            return
        if covered(RequiredStop(need.is_short, position, need.trigger), standing):
            self.exchange.cancel_entries()
        else:
            self._close()

    def _place(self, need: RequiredStop, purpose: Purpose) -> Step | None:
        """Send a stop until it stands or the rules say to stop; return what they said last."""
        name, trigger = self.exchange.new_number(), need.trigger
        tries, repriced = 0, False
        while True:
            try:
                self.exchange.place(need.amount, trigger, name)
            except RequestError as error:
                step = next_step(purpose, error.code, error.outcome)
            else:
                break
            tries += 1
            if step in (Step.QUERY, Step.NEW_CLIENT_ID):
                if self._arrived(name):
                    break
                step = Step.AGAIN
            if step is Step.REPRICE and not repriced:
                price = self.exchange.last_price()
                trigger, name = (
                    reprice(need.is_short, price, TICK),
                    self.exchange.new_number(),
                )
                repriced, tries = True, 0
            elif step is not Step.AGAIN or pause_s(purpose, tries) is None:
                return step
        self.trigger = trigger
        return None

    def _arrived(self, name: str) -> bool:
        try:
            return self.exchange.find(name)
        except RequestError:
            return False

    def _cancel(self, order_id: str) -> None:
        tries = 0
        while True:
            try:
                self.exchange.cancel(order_id)
            except RequestError as error:
                step = next_step(Purpose.CANCEL, error.code, error.outcome)
            else:
                return
            tries += 1
            if step is Step.QUERY and not self.exchange.stands(order_id):
                return
            if step is Step.GIVE_UP or pause_s(Purpose.CANCEL, tries) is None:
                return

    def _close(self) -> None:
        tries = 0
        while True:
            try:
                self.exchange.close()
            except RequestError as error:
                step = next_step(Purpose.EMERGENCY_CLOSE, error.code, error.outcome)
            else:
                return
            tries += 1
            if step is Step.GIVE_UP or pause_s(Purpose.EMERGENCY_CLOSE, tries) is None:
                return  # the next look says whether it is flat
