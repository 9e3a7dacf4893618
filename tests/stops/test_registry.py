"""Each exchange gets what it can do, and is told so at the start."""

from pathlib import Path

import pytest
from freqtrade.enums import TradingMode

from qt_protections.errors import GuardNotInstalled
from qt_protections.stops import registry
from qt_protections.stops.monitor.stream_proof import StreamProof
from qt_protections.stops.registry import capabilities
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.capabilities import Capabilities, everything, simulated
from tests.stops.offline import offline_config, offline_exchange

BOTH, FILL = ("before_entry", "on_fill"), ("on_fill",)

# Exchange, trading mode, dry run: placement, native trailing, watches, whether a stop blocks
# the asset; text.
TABLE = [
    (
        ("binance", "futures", False),
        (BOTH, True, True, False),
        "binance futures: stop before the entry (falls back to on_fill per pair), native trailing "
        "stop, watched by user data stream and by polling",
    ),
    (
        ("binance", "futures", True),
        (BOTH, False, False, False),
        "binance futures, dry run: stop before the entry, trailing by custom_stoploss, both "
        "simulated by Freqtrade, watched by its loop",
    ),
    (
        ("binanceusdm", "futures", False),
        (BOTH, True, True, False),
        "binanceusdm futures: stop before the entry (falls back to on_fill per pair), native "
        "trailing stop, watched by user data stream and by polling",
    ),
    (
        ("binanceusdm", "futures", True),
        (BOTH, False, False, False),
        "binanceusdm futures, dry run: stop before the entry, trailing by custom_stoploss, both "
        "simulated by Freqtrade, watched by its loop",
    ),
    (
        ("binance", "spot", False),
        (FILL, False, False, True),
        "binance spot: stop on_fill, no native trailing stop (stop orders block the asset), "
        "watched by Freqtrade's loop",
    ),
    (
        ("bybit", "futures", False),
        (FILL, False, False, False),
        "bybit futures: stop on_fill, no native trailing stop, watched by Freqtrade's loop",
    ),
    (
        ("bybit", "futures", True),
        (FILL, False, False, False),
        "bybit futures, dry run: stop on_fill, no native trailing stop, watched by Freqtrade's "
        "loop",
    ),
]


def found(folder: Path, name: str, mode: str, dry_run: bool) -> Capabilities:
    """Return what the guard finds; the exchange object itself is dry, so that it asks nothing."""
    config = offline_config(folder, name, mode) | {"dry_run": dry_run}
    return capabilities(offline_exchange(folder, name, mode), config)


@pytest.mark.parametrize(
    ("where", "what", "text"), TABLE, ids=["-".join(map(str, row[0])) for row in TABLE]
)
def test_what_an_exchange_gets(
    tmp_path: Path,
    where: tuple[str, str, bool],
    what: tuple[tuple[str, ...], bool, bool, bool],
    text: str,
) -> None:
    """And the sentence that says it."""
    assert found(tmp_path, *where) == Capabilities(*what, text)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("okx", "futures"),
        ("okx", "spot"),
        ("gate", "futures"),
        ("bitget", "futures"),
        ("hyperliquid", "futures"),
        ("krakenfutures", "futures"),
        ("kraken", "spot"),
        ("kucoin", "spot"),
    ],
)
def test_every_other_exchange_that_takes_stops_gets_them_on_fill(
    tmp_path: Path, name: str, mode: str
) -> None:
    """Only Binance futures are known well enough for more."""
    told = found(tmp_path, name, mode, dry_run=False)
    assert (told.placement_supported, told.trailing, told.watches) == (FILL, False, False)
    assert told.text.startswith(f"{name} {mode}: stop on_fill")


@pytest.mark.parametrize(("name", "mode"), [("hyperliquid", "spot"), ("bitvavo", "spot")])
@pytest.mark.parametrize("dry_run", [True, False], ids=["dry", "live"])
def test_an_exchange_without_stops_is_none_for_the_guard(
    tmp_path: Path, name: str, mode: str, dry_run: bool
) -> None:
    """The bot does not start."""
    with pytest.raises(GuardNotInstalled, match=f"{name} {mode}.*can place no stop"):
        found(tmp_path, name, mode, dry_run)


@pytest.mark.parametrize("where", [row[0] for row in TABLE], ids=[str(row[0]) for row in TABLE])
def test_a_venue_fits_what_is_said_of_it(
    tmp_path: Path, where: tuple[str, str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that lists stops is made where stops are watched."""
    name, mode, _ = where
    exchange, can = offline_exchange(tmp_path, name, mode), found(tmp_path, *where)
    monkeypatch.setattr(BinanceVenue, "__init__", lambda *_: None)
    monkeypatch.setattr(registry, "pace", lambda *_: None)
    monkeypatch.setattr(BinanceVenue, "budget", None)
    venue = registry.make_venue(exchange, {}, can, StreamProof())
    assert venue.WATCHES is can.watches


def test_one_entry_is_all_that_an_exchange_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Capabilities, venue and stream come from the entry, for the mode that it names."""
    venue, stream = object(), object()
    entry = registry.Adapter(
        exchange_ids=frozenset({"okx"}),
        trading_mode=TradingMode.FUTURES,
        live=everything,
        dry_run=simulated,
        connect=lambda *_: venue,  # type: ignore[arg-type, return-value]
        attach=lambda *_: venue,  # type: ignore[arg-type, return-value]
        listen=lambda *_: stream,  # type: ignore[arg-type, return-value]
    )
    monkeypatch.setattr(registry, "_ADAPTERS", (*registry._ADAPTERS, entry))
    can = found(tmp_path, "okx", "futures", dry_run=False)
    exchange = offline_exchange(tmp_path, "okx", "futures")
    assert can == everything("okx futures")
    assert registry.adapter_of(exchange) is entry
    assert registry.make_venue(exchange, {}, can, StreamProof()) is venue
    assert registry.listen_to(exchange)(lambda _: None, lambda _: None) is stream
    assert not found(tmp_path, "okx", "spot", dry_run=False).watches


def test_no_stream_is_known_of_other_exchanges(tmp_path: Path) -> None:
    """Nobody should ask for one: nothing is watched there."""
    with pytest.raises(TypeError, match="no user data stream that is known here"):
        registry.listen_to(offline_exchange(tmp_path, "bybit", "futures"))
