"""Client ids: unique, readable by the next start, and nobody else's."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.stops.state.client_ids import Name, Namer, Role, parse

BINANCE = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
PAIRS = (
    "BTC/USDT:USDT",
    "1000PEPE/USDT:USDT",
    "1000000MOGLONGNAME/USDT:USDT",
    "币安人生/USDT:USDT",
)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_name_says_whose_and_what_for(pair: str, role: Role) -> None:
    """Within what Binance takes, for any symbol."""
    namer = Namer("freqtrade", "sqlite://")
    made = namer.new(role, pair)
    assert BINANCE.fullmatch(made)
    name = namer.mine(made)
    assert name is not None
    assert (name.bot, name.role) == (namer.bot, role)
    assert pair.replace("/", "").startswith(name.symbol) or not pair.isascii()


def test_no_name_comes_twice() -> None:
    """Not within one millisecond, either."""
    namer = Namer("freqtrade", "sqlite://")
    made = [namer.new(Role.STOP, PAIRS[0]) for _ in range(1296)]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    "other",
    [
        Namer("second", "sqlite:///trades.sqlite"),
        Namer("freqtrade", "sqlite:///other.sqlite"),
        Namer("freqtrade", "postgresql://localhost/trades"),
    ],
)
def test_another_bot_on_the_account_has_other_names(other: Namer) -> None:
    """Neither cancels the other's stops."""
    mine = Namer("freqtrade", "sqlite:///trades.sqlite")
    assert mine.mine(other.new(Role.STOP, PAIRS[0])) is None
    assert other.mine(mine.new(Role.STOP, PAIRS[0])) is None


def test_the_usual_database_is_another_one_in_each_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Freqtrade's default is relative: two bots in two folders are two bots."""
    bots = []
    for name in ("first", "second", "first"):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / name)
        bots.append(Namer("freqtrade", "sqlite:///tradesv3.sqlite").bot)
    assert bots[0] == bots[2] != bots[1]


def test_an_absolute_path_is_the_same_bot_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way it is written."""
    url = f"sqlite:///{tmp_path / 'trades.sqlite'}"
    before = Namer("freqtrade", url).bot
    monkeypatch.chdir(tmp_path)
    assert Namer("freqtrade", url).bot == before
    assert Namer("freqtrade", "sqlite:///trades.sqlite").bot == before


@pytest.mark.parametrize(
    "foreign", [None, "", "x-cvBPrNm9abc", "qt", "qt12-SBTCUSDT-1", "qt1234-ZBTCUSDT-1", "web_7"]
)
def test_what_no_guard_made_says_nothing(foreign: str | None) -> None:
    """Freqtrade's own ids, a person's, and almost ours."""
    assert parse(foreign) is None


@given(st.text(max_size=40))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    """Client ids come from anybody on the account."""
    name = parse(text)
    assert name is None or isinstance(name, Name)
