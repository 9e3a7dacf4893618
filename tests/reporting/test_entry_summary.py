"""What became of the entries as a person sees it."""

from dataclasses import replace

from rich.console import Console

from qt_protections.reporting.entry_counts import Summary
from qt_protections.reporting.entry_summary import as_line, as_table, as_words

FULL = Summary(
    allowed={"long": 1_200, "short": 34},
    rare_shorts=3,
    further=12,
    cut={"risk_per_trade": 1_100, "max_open_risk": 90},
    clamped={"max_stop": 15},
    lowered={"BTC/USDT:USDT": 700, "ETH/USDT:USDT": 627},
    refused={"open_risk_full": 200, "symbol_full": 31, "stop_beyond_liquidation": 7},
    removed={"short_in_uptrend": 500, "short_regime_unknown": 40},
    regimes={"DOWNTREND": 0.25, "UPTREND": 0.5, "UNKNOWN": 0.0312, "SIDEWAYS": 0.2188},
)
NOTHING = Summary({}, 0, 0, {}, {}, {}, {}, {}, {})


def shown(summary: Summary) -> list[str]:
    """Return the table's lines in a terminal of 80 columns."""
    console = Console(width=80)
    with console.capture() as capture:
        console.print(as_table("Mine under the guard", summary))
    return capture.get().splitlines()


def test_the_table_fits_a_plain_terminal() -> None:
    """Each kind in a row, with all that is behind its number."""
    lines = shown(FULL)
    assert max(map(len, lines)) <= 80
    page = " ".join(" ".join(lines).split())
    assert "entries allowed 1,234 long 1,200, short 34, rare short 3, further 12" in page
    assert "made smaller 1,190 risk_per_trade 1,100, max_open_risk 90" in page
    assert "stops clamped 15 max_stop 15" in page
    assert "leverage lowered 1,327 2 pairs" in page
    assert "entries refused 238 open_risk_full 200, symbol_full 31" in page
    assert "short candles removed 540 short_in_uptrend 500, short_regime_unknown 40" in page
    assert "UPTREND 50.0%, DOWNTREND 25.0%, SIDEWAYS 21.9%, UNKNOWN 3.1%" in page
    assert "…" not in page


def test_what_did_not_happen_has_no_row() -> None:
    """But that nothing was refused is news."""
    page = " ".join(" ".join(shown(NOTHING)).split())
    assert "entries allowed 0 entries refused 0 regime is not known" in page
    assert "clamped" not in page


def test_one_line_for_a_log() -> None:
    """With all the numbers."""
    line = as_line(replace(FULL, refused={"symbol_full": 31}, cut={}))
    assert line.startswith("1,234 entries allowed (long 1,200, short 34, rare short 3, further 12)")
    assert "; 31 entries refused (symbol_full 31); " in line
    assert line.endswith("regime UPTREND 50%, DOWNTREND 25%, SIDEWAYS 22%, UNKNOWN 3%")
    assert "regime" not in as_line(NOTHING)


def test_the_status_page_lists_refusals_itself() -> None:
    """The row has the rest."""
    assert "refused" not in as_words(FULL)
    assert as_words(NOTHING) == "0 entries allowed"
