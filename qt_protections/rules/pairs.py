"""The names of a pair: its symbol, and the exchange's."""


def base_of(pair: str) -> str:
    """Return the base currency of a pair, which is what this project calls a symbol."""
    return pair.split("/", maxsplit=1)[0]


def symbol_of(pair: str) -> str:
    """Return the exchange's name of a pair, as log lines show it: BTC/USDT:USDT is BTCUSDT."""
    return pair.split(":", maxsplit=1)[0].replace("/", "")
