"""A reader of docs/architecture.md finds the file that handles a fact of Binance or Freqtrade."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
#: Fact, as the page words that -> what the code of its file says of the fact.
FACTS = {
    "a stop whose price is passed is refused (-2021)": "-2021",
    "a reduce-only order without a position is refused (-2022)": "-2022",
    "a client id has 36 characters at most": "36",
    "an account has room for 200 conditional orders": "MOST_STOPS = 200",
    "an order at market has a largest size (`MARKET_LOT_SIZE`)": "MARKET_LOT_SIZE",
    "a conditional order that triggers becomes another order (`actualOrderId`)": "actualOrderId",
    "events tell of orders by `ORDER_TRADE_UPDATE` and `ALGO_UPDATE`": "ALGO_UPDATE",
    "a listen key is valid for an hour": "valid for an hour",
    "answers count the request weight of the address": "x-mbx-used-weight-1m",
    "a request is signed with the time, within `recvWindow`": "recvWindow",
    "no margin type changes while an order is open (-4047)": "changes no margin type",
    "maintenance margin grows by brackets": "bracket",
    "a trailing stop has a callback rate": "callbackRate",
    "accounts in the EEA hold BNFCR": "BNFCR",
    "a liquidation or deleveraging closes by an order of the exchange's own": "deleveraging",
    "an average takes 600 candles to settle": "600",
    "Freqtrade books fills by walking a trade's rows": "walking the rows",
    "Freqtrade places, asks after and cancels stops by its exchange": "create_stoploss",
    "Freqtrade changes trades under `_exit_lock`": "_exit_lock",
    "Freqtrade reuses a backtest by a hash of the configuration": "get_strategy_run_id",
    "Freqtrade tells no strategy that a backtest is over": "tells no strategy of",
    "Freqtrade loads protections by executing each file of a folder": "FOLDER",
    "Freqtrade asks for as many candles as `startup_candle_count` says": "startup_candle_count",
    "a hyperopt's results lie beside the strategy's file": "hyperopt found",
}


def table() -> dict[str, str]:
    """Return each row of the page's table: the fact, and its file within the package."""
    part = PAGE.split("## Where a fact is handled")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| (.+?) \| `([\w/]+\.py)` \|$", part, re.MULTILINE))


def test_the_page_and_the_list_name_the_same_facts() -> None:
    """A fact that one of them lacks is added there."""
    assert table().keys() == FACTS.keys()


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_is_where_the_page_says(fact: str) -> None:
    """By the words that the code has for the fact."""
    assert FACTS[fact] in (ROOT / "qt_protections" / table()[fact]).read_text()


def test_every_file_that_a_page_names_exists() -> None:
    """By its path within the package, or its name alone where a table is of one folder."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`([\w/]+\.py)`", page.read_text())}
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py")]
    missing = {name for name in named if not any(f"/{each}".endswith(f"/{name}") for each in files)}
    assert not missing


def names_of_classes() -> dict[str, set[str]]:
    """Return what each class of the package has: methods, fields, and what it sets on itself."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "qt_protections").rglob("*.py"):
        classes = (n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ClassDef))
        for each in classes:
            names = found.setdefault(each.name, set())
            for node in ast.walk(each):
                if isinstance(node, ast.FunctionDef):
                    names.add(node.name)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.add(node.id)
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    names.add(node.attr)
    return found


def test_every_part_of_a_class_that_a_page_names_exists() -> None:
    """`Class.part`, where the class is the package's."""
    classes = names_of_classes()
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {pair for page in pages for pair in re.findall(r"`([A-Z]\w+)\.(\w+)", page.read_text())}
    assert not {pair for pair in named if pair[0] in classes and pair[1] not in classes[pair[0]]}
