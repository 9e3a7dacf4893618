"""An order whose answer was lost is asked for until the exchange has it, or the pauses are over."""

import pytest

from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError
from qt_protections.stops.venue.settling import Settled, settle

ORDER: CcxtOrder = {"id": "7"}
SILENCE = RequestError("no answer", Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("answers", "settled", "waited"),
    [
        ([ORDER], Settled(True, ORDER), []),
        ([None, ORDER], Settled(True, ORDER), [0.2]),
        ([SILENCE, ORDER], Settled(True, ORDER), [0.2]),
        ([None, None, None], Settled(True), [0.2, 0.5]),
        ([SILENCE, SILENCE, SILENCE], Settled(False), [0.2, 0.5]),
        ([SILENCE, None, SILENCE], Settled(True), [0.2, 0.5]),
    ],
    ids=["at once", "late", "silent first", "unknown", "silent", "told once"],
)
def test_what_is_asked_for(
    answers: list[CcxtOrder | RequestError | None], settled: Settled, waited: list[float]
) -> None:
    """Silence is no answer, and an answer without the order is one."""
    told, pauses = iter(answers), []

    def find() -> CcxtOrder | None:
        answer = next(told)
        if isinstance(answer, RequestError):
            raise answer
        return answer

    assert settle(find, "an order", (0.0, 0.2, 0.5), pauses.append) == settled
    assert pauses == waited
