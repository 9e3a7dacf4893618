"""The programs of docs/extending.md, as a reader takes them from the page."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"


def program(name: str) -> str:
    """Return the program that names itself so in its first line."""
    programs = re.findall(r"```python\n(# (\S+)\n.*?)```", PAGE.read_text(), re.DOTALL)
    (found,) = [text for text, named in programs if named == name]
    return str(found)


def write_programs(folder: Path, strategy: str) -> None:
    """Write the rule, and the guarded class around a strategy.

    Args:
        folder: Where Freqtrade looks for strategies.
        strategy: The line that imports the strategy as MyStrategy.
    """
    (folder / "near_funding.py").write_text(program("near_funding.py"))
    given = "from my_strategies import MyStrategy"
    assert given in program("mine.py")
    (folder / "mine.py").write_text(program("mine.py").replace(given, strategy))
