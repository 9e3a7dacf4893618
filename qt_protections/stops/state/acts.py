"""What a pair calls for, by what is known of the pair: decisions alone, nothing is sent here."""

from qt_protections.rules.stop_plan import RequiredStop, covered, plan
from qt_protections.stops.state.pair import PairState


def missing(held: PairState) -> RequiredStop | None:
    """Return the next stop to place; None if all that needs cover has cover."""
    return plan(held.required_stop, held.standing).place


def left_over(held: PairState) -> set[str]:
    """Return the ids of the stops that protect nothing; none while a stop is missing.

    A stop that triggered may have closed a part only, and no other stop goes for its sake. What an
    earlier run's stop protects is not known: such a stop goes on proof alone.
    """
    todo = plan(held.required_stop, held.unfired)
    if todo.place is not None:
        return set()
    found = {stop.order_id for stop in held.wrong_side_stops}
    if not held.more_shown:
        found |= {*todo.cancel}
        if held.required_stop is None:
            found |= {stop.order_id for stop in held.all_stops}
    return found - {stop.order_id for stop in held.inherited}


def may_cancel(held: PairState, order_id: str) -> bool:
    """Whether what has to be covered stays so without this stop."""
    others = [stop for stop in held.unfired if stop.order_id != order_id]
    is_needed = held.required_stop is not None and not covered(held.required_stop, others)
    return not (is_needed or held.more_shown)
