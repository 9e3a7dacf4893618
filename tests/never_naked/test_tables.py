"""Tables of literal figures."""

from io import StringIO

from rich.console import Console

from benchmarks.never_naked.tables import one_a_row

RUN = {"loops": 7, "acts": {"enter": 3, "leave": 2}, "books": {"differ": [{}, {}]}, "settled": None}


def test_a_row_sums_up_what_is_listed() -> None:
    """Counts by kind are added, lists are counted."""
    columns = (
        ("loops", "loops"),
        ("acts", "acts"),
        ("differ", "books.differ"),
        ("settled, s", "settled"),
    )
    text = StringIO()
    Console(file=text, width=100).print(one_a_row("title", columns, {"seed 1": RUN}))
    assert text.getvalue().splitlines()[-2].split() == ["seed", "1", "7", "5", "2", "never"]
