"""The guard's state as a person sees it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from qt_protections.reports.guard_status import as_page, warning
from qt_protections.status_file import Money, RegimeSeen, Snapshot
from tests.statuses import NOW, position, refusal, snapshot


def shown(content: Snapshot, *, age_s: float = 3, width: int = 80) -> str:
    """Return the page as text."""
    console = Console(width=width)
    with console.capture() as capture:
        console.print(as_page(content, NOW + timedelta(seconds=age_s)))
    return capture.get()


def row(page: str, *cells: str) -> str:
    """Return the one line with all of some words."""
    (line,) = [line for line in page.splitlines() if all(cell in line for cell in cells)]
    return line


def test_the_page_fits_a_plain_terminal() -> None:
    """Nothing of it is cut: bot, regime, risk, positions with their stops, refusals."""
    content = snapshot(
        position(),
        position("1000PEPE/USDT:USDT", is_foreign=True),
        refusals=(refusal("BTC/USDT:USDT", count=4),),
        max_group=Money(200, 2),
    )
    page = shown(content)
    assert "my bot (ab12)  DRY RUN  Mine  as of 2026-01-02 12:00:30 UTC, 3 s ago" in page
    assert "UPTREND  BTC/USDT:USDT 4h: +4.21% vs EMA200 at 2026-01-02 12:00 UTC" in page
    assert "75.00 of 300.00 USDT (0.75 of 3.00 % of equity)" in page
    assert "at most 200.00 USDT (2.00 % of equity)" in page
    mine = row(page, "BTCUSDT", "60,000")
    assert " ".join(mine.split()) == "BTCUSDT long 0.15 60,000 59,500 live 2 75.00 0.75 %"
    assert "foreign" in row(page, "1000PEPEUSDT")
    assert "why symbol_full [/]" in row(page, "01-02 12:00", "BTCUSDT", "4")
    assert "…" not in page


@pytest.mark.parametrize(("open_risk", "marks"), [(0, 0), (150, 8), (300, 16), (600, 16)])
def test_the_bar_is_the_share_of_the_limit(open_risk: float, marks: int) -> None:
    """Full at the limit, and no longer beyond it."""
    assert shown(snapshot(open_risk=open_risk)).count("━") == marks


def test_refusals_are_grouped_by_rule() -> None:
    """The rule that spoke last comes first, its sum above its pairs; a long list is cut."""
    pairs = [f"{name}/USDT:USDT" for name in "ABCDEFGH"]
    refusals = (
        refusal("NEW/USDT:USDT", "symbol_full"),
        *(refusal(pair, "open_risk_full", minutes_ago=1, count=2) for pair in pairs),
        refusal("OLD/USDT:USDT", "symbol_full", minutes_ago=2),
    )
    page = shown(snapshot(refusals=refusals))
    order = ("2  symbol_full", "NEWUSDT", "OLDUSDT", "16  open_risk_full", "AUSDT", "FUSDT")
    places = [page.index(words) for words in (*order, "and 2 more pairs")]
    assert places == sorted(places)
    assert "GUSDT" not in page


def test_nothing_is_said_in_words() -> None:
    """No empty tables."""
    page = shown(snapshot(open_risk=0))
    assert "No positions." in page
    assert "Nothing refused since 2026-01-02 09:00 UTC." in page
    unknown = RegimeSeen("BTC/USDT:USDT", "4h", "UNKNOWN", None, None)
    page = shown(replace(snapshot(), regime=unknown))
    assert "candles missing, stale or too few: shorts are refused" in " ".join(page.split())


@pytest.mark.parametrize(
    ("age_s", "said"),
    [
        (60, None),
        (61, "This is 61 s old: the bot is not running, is stopped, or hangs."),
        (400, "This is 6 min old"),
        (3 * 3600, "This is 3 h old"),
        (5 * 86_400, "This is 5 d old"),
        (-5, None),
    ],
)
def test_an_old_snapshot_is_said_to_be_old(age_s: float, said: str | None) -> None:
    """From a minute on; a clock that is behind is no reason."""
    wrong = warning(snapshot(), NOW + timedelta(seconds=age_s))
    assert (wrong is None) if said is None else (wrong is not None and wrong.startswith(said))
    assert (said or "s ago") in shown(snapshot(), age_s=age_s)


def test_a_bot_that_ended_did_not_hang() -> None:
    """Its last snapshot says so itself."""
    page = shown(snapshot(is_running=False), age_s=9_000)
    assert "The bot ended at 2026-01-02 12:00 UTC" in page
    assert "hangs" not in page
