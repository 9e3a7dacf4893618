"""Orders and lists within an answer of the exchange: their names, times and rows."""

from qt_protections.rehearsal.faults.kinds.stale_data import Omit
from qt_protections.rehearsal.faults.source import Source
from qt_protections.rehearsal.journal import Facts

# The lists within the answer of account.
_PARTS = ("positions", "assets")


def names_of(content: object) -> Facts:
    """Return the numbers and names that an answer has for its order."""
    facts: Facts = {}
    if isinstance(content, dict):
        if "algoId" in content:
            facts["algo_id"] = content["algoId"]
        elif "orderId" in content:
            facts["order_id"] = content["orderId"]
        client_id = content.get("clientAlgoId", content.get("clientOrderId"))
        if client_id is not None:
            facts["client_id"] = client_id
    return facts


def lists_of(content: object) -> dict[str, list[object]]:
    """Return the lists of an answer by name; an answer that is a list has an empty name."""
    if isinstance(content, list):
        return {"": content}
    parts = content if isinstance(content, dict) else {}
    return {name: parts[name] for name in _PARTS if isinstance(parts.get(name), list)}


def kept_rows(rows: list[object], source: Source, entry: Omit) -> list[object]:
    """Draw which rows of a list are told."""

    def is_left_out(row: object) -> bool:
        symbol = row.get("symbol") if isinstance(row, dict) else None
        return entry.concerns_symbol(symbol) and bool(source.rng.random() < entry.share)

    return [row for row in rows if not is_left_out(row)]


def placed_ms(row: object) -> int:
    """Return when an order was placed, by the answer that tells of it."""
    if not isinstance(row, dict):
        return 0
    return int(row["createTime"] if "createTime" in row else row["time"])
