"""The account as it was."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rehearsal.faults.past_account import PastAccount
from tests.rehearsal.stage import BTC, Stage

KEEP_MS = 3000


def test_margin_moved_by_its_owner() -> None:
    """It is told late like everything else, and no later."""
    stage = Stage(isolated=True)
    past = PastAccount(stage.venue.account, stage.venue.journal, KEEP_MS)
    stage.order()
    stage.wait(1000)
    before = stage.venue.account.position(BTC).margin
    stage.venue.margin_settings.move_margin(BTC, Decimal(100))
    for lag_ms, margin in ((0, before + 100), (1, before)):
        with past.shown(stage.now_ms - lag_ms):
            assert stage.venue.account.position(BTC).margin == margin
    stage.wait(KEEP_MS)
    assert not past.has_changed(stage.now_ms - KEEP_MS)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2000), st.sampled_from(["BUY", "SELL"])), max_size=12),
    st.integers(0, KEEP_MS),
)
def test_the_past_is_what_was(trades: list[tuple[int, str]], lag_ms: int) -> None:
    """At any lag within reach the account is what it was then, and afterwards what it is."""
    stage = Stage()
    account = stage.venue.account
    past = PastAccount(account, stage.venue.journal, KEEP_MS)
    states = [(0, account.wallet, stage.amount())]
    for wait_ms, side in trades:
        stage.wait(wait_ms)
        stage.order(side=side)
        states.append((stage.now_ms, account.wallet, stage.amount()))
    stage.wait(100)
    at_ms = stage.now_ms - lag_ms
    expected = [state for state in states if state[0] <= at_ms][-1]
    with past.shown(at_ms):
        assert (account.wallet, stage.amount()) == expected[1:]
    assert (account.wallet, stage.amount()) == states[-1][1:]
    assert past.has_changed(at_ms) is (expected[1:] != states[-1][1:])
