"""What becomes of a bot's orders when the guard is taken off; nothing that protects goes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.cli.command import main
from qt_protections.stops.detachment import Found, Known, Verdict, judge
from qt_protections.stops.venue.protocol import CcxtOrder, Position

BTC = "BTC/USDT:USDT"
BOT, OTHER = "ab12", "cd34"


def order(number: int, role: str, amount: float = 1.0, bot: str = BOT) -> CcxtOrder:
    """Return an order of a guarded bot's, as ccxt parses one; it protects a long."""
    return {
        "id": str(number),
        "clientOrderId": f"qt{bot}-{role}BTCUSDT-{number}",
        "symbol": BTC,
        "side": "buy" if role == "E" else "sell",
        "amount": amount,
        "stopPrice": 90.0 if role in "ST" else None,
    }


def position(amount: float) -> dict[str, Position]:
    """Return a long of so much; none of 0."""
    return {BTC: Position(BTC, False, amount, 100.0, 10.0)} if amount else {}


def trade(*orders: int, is_short: bool = False) -> dict[str, Known]:
    """Return an open trade with some orders on record."""
    return {BTC: Known(7, BTC, is_short, frozenset(map(str, orders)))}


def ends(found: Found, **how: Any) -> list[Verdict]:
    """Return what becomes of each order."""
    return [each.verdict for each in judge(found, BOT, **how)]


def test_what_is_on_record_stays_and_trails_go() -> None:
    """Of another bot, and of a person, nothing is even looked at."""
    by_hand = {**order(5, "S"), "clientOrderId": "web_1"}
    stops = [order(1, "S"), order(2, "T"), order(3, "S", bot=OTHER), by_hand]
    found = Found(stops, [], position(1), {BTC}, trade(1))
    assert ends(found) == [Verdict.STAYS, Verdict.WITHDRAWN]


def test_the_parts_of_a_large_position_are_put_on_record() -> None:
    """One stop is on record, and covers a part only."""
    found = Found([order(1, "S"), order(2, "S")], [], position(2), {BTC}, trade(1))
    assert ends(found) == [Verdict.STAYS, Verdict.RECORDED]


@pytest.mark.parametrize(
    ("found", "may_arrive", "end"),
    [
        (Found([order(1, "S")], [], {}, set(), {}), False, Verdict.WITHDRAWN),
        (Found([order(1, "S")], [], {}, set(), {}), True, Verdict.YOURS),
        (Found([order(1, "S")], [], {}, {BTC}, {}), False, Verdict.YOURS),
        (Found([order(1, "S")], [], position(1), set(), {}), False, Verdict.YOURS),
        (Found([order(1, "S")], [], {}, set(), trade(is_short=True)), False, Verdict.WITHDRAWN),
        (Found([order(1, "S")], [], {}, set(), trade()), False, Verdict.RECORDED),
        (Found([], [order(1, "E")], {}, set(), trade(1)), False, Verdict.STAYS),
        (Found([], [order(1, "E")], {}, set(), trade()), False, Verdict.WITHDRAWN),
    ],
    ids=[
        "nothing-to-protect",
        "its-entry-may-arrive",
        "one-list-shows-a-position",
        "the-other-does",
        "trade-of-the-other-side",
        "before-its-entry",
        "an-entry-on-record",
        "an-entry-off-record",
    ],
)
def test_orders_off_record(found: Found, may_arrive: bool, end: Verdict) -> None:
    """They go only where nothing can be laid bare."""
    assert ends(found, may_arrive=may_arrive) == [end]


@given(
    amounts=st.lists(st.floats(0.1, 3), min_size=1, max_size=5),
    recorded=st.sets(st.integers(0, 4)),
    held=st.floats(0, 6),
    seen=st.booleans(),
    has_trade=st.booleans(),
)
def test_nothing_is_laid_bare(
    amounts: list[float], recorded: set[int], held: float, seen: bool, has_trade: bool
) -> None:
    """A position that was covered is covered afterwards, and a list that lacks it is no proof."""
    stops = [order(number, "S", amount) for number, amount in enumerate(amounts)]
    trades = trade(*recorded) if has_trade else {}
    found = Found(stops, [], position(held) if seen else {}, {BTC} if held else set(), trades)
    left = [
        float(each.amount) for each in judge(found, BOT) if each.verdict is not Verdict.WITHDRAWN
    ]
    if held:
        assert sum(left) >= min(held, sum(amounts)) * (1 - 1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dry_run": True}, "of a dry run"),
        ({}, "there is no database"),
    ],
    ids=["dry-run", "no-database"],
)
def test_what_it_refuses(
    tmp_path: Path,
    changes: dict[str, Any],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is asked, nothing is made, and the words say what to do."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"dry_run": False, **changes}))
    assert main(["detach", "-c", str(config)]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [config]


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    """The way out, whole, with a look first and the exit codes."""
    with pytest.raises(SystemExit):
        main(["detach", "--help"])
    shown = capsys.readouterr().out
    for words in ("--dry-run", "--json", "Exit code:", "the way out, whole:", "examples:"):
        assert words in shown
