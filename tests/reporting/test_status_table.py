"""The guard's state as a person sees it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from qt_protections.reporting.entry_counts import Summary
from qt_protections.reporting.status_file import (
    Money,
    RegimeSeen,
    Snapshot,
    ThreadSeen,
    WatchSeen,
)
from qt_protections.reporting.status_table import as_page, warning
from tests.reporting.statuses import NOW, position, refusal, snapshot, watch


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


def test_what_was_done_to_entries_stands_beside_the_figures() -> None:
    """A row; without one in the file of a bot that did not count."""
    done = Summary({"long": 12}, 0, 3, {"risk_per_trade": 9}, {}, {"A/B:B": 4}, {"x": 1}, {}, {})
    page = " ".join(shown(replace(snapshot(), summary=done)).split())
    assert "entries 12 entries allowed: long 12, further 3 9 made smaller: risk_per_trade 9" in page
    assert "4 leverage lowered: 1 pair" in page
    assert "entries allowed" not in shown(snapshot())


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


def coloured(content: WatchSeen) -> list[str]:
    """Return what is red of a page."""
    console = Console(width=80, force_terminal=True, color_system="standard")
    page = as_page(replace(snapshot(), watch=content), NOW + timedelta(seconds=3))
    return [
        segment.text.strip()
        for segment in console.render(page)
        if segment.style is not None
        and segment.style.color is not None
        and segment.style.color.name == "red"
    ]


def test_a_watch_that_is_well() -> None:
    """Each thread, the stream and the last look, within 80 columns and without alarm."""
    page = shown(replace(snapshot(), watch=watch()))
    words = " ".join(page.split())
    names = "monitor, user-stream, watch-1, watch-2, watch-3, watch-4, watch-5, watch-6, watch-7,"
    assert f"threads running: {names} watch-8" in words
    assert "stream up since 2026-01-02 11:55:30 UTC" in words
    assert "last look 2 s ago" in words
    assert "…" not in page
    assert max(len(line.rstrip()) for line in page.splitlines()) <= 80
    assert coloured(watch()) == []


def test_a_thread_that_is_not_well_comes_first() -> None:
    """With what is wrong; a restart is worth a look at the log."""
    ill = (
        ThreadSeen("qt-a", "running", 2, 0.0),
        ThreadSeen("qt-b", "hangs", 0, 41.7),
        ThreadSeen("qt-c", "dead", 3, 0.0),
        ThreadSeen("qt-d", "running", 1, 0.0),
    )
    page = shown(replace(snapshot(), watch=watch(*ill)))
    order = (
        "dead, [ALERT] in the log: c",
        "hangs for 42 s, [ALERT] in the log: b",
        "restarted 2 times, [ALERT] in the log: a",
        "restarted once, [ALERT] in the log: d",
        "running: monitor",
    )
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    assert coloured(watch(*ill)) == list(order[:2])


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("down", "the connection is lost"),
        ("mute", "it tells nothing of the guard's own orders"),
        ("late", "its events wait too long"),
    ],
)
def test_a_stream_that_cannot_be_relied_on(state: str, why: str) -> None:
    """Since when, why, and what is done instead."""
    page = " ".join(shown(replace(snapshot(), watch=watch(stream=state))).split())
    expected = f"{state} since 2026-01-02 11:55:30 UTC: {why}; orders are polled each second"
    assert expected in page
    assert " ".join(coloured(watch(stream=state))) == expected


def test_a_look_that_is_long_ago() -> None:
    """It is wrong from the age on at which the watch should have looked itself."""
    assert coloured(watch(looked_s=20.0)) == []
    assert coloured(watch(looked_s=21.0)) == ["21 s ago: nobody compares the stops"]
    page = shown(replace(snapshot(), watch=watch(looked_s=None)))
    assert "nothing to protect" in row(page, "last look")


def test_where_the_loop_alone_watches_nothing_is_said_of_threads() -> None:
    """In dry runs, and in the files of older versions."""
    assert "threads" not in shown(snapshot())
