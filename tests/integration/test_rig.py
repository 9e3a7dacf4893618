"""What the tests with a live bot stand on."""

from tests.integration.rig import Rig


def test_what_a_test_sets_ends_with_its_bot(rig: Rig) -> None:
    """What a strategy leaves out belongs to Freqtrade's class, which outlives a test."""
    rig.bot().strategy.order_time_in_force["entry"] = "FOK"
    assert rig.bot().strategy.order_time_in_force["entry"] == "GTC"
