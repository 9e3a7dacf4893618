"""The listen key's life."""

from qt_protections.rehearsal.engine.listen_keys import VALIDITY_MS, ListenKeys
from tests.rehearsal.stage import code_of


class Hours:
    """A clock moved by hand."""

    def __init__(self) -> None:
        """Start some time after the epoch."""
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        """Return the time."""
        return self.now_ms


def test_one_key_for_an_hour() -> None:
    """Asking again and extending both renew the same key; after an hour it is gone."""
    clock = Hours()
    keys = ListenKeys(clock)
    key = keys.open()
    for renew in (keys.open, keys.extend):
        clock.now_ms += VALIDITY_MS - 1
        assert renew() == key
    assert keys.expire() is None
    clock.now_ms += VALIDITY_MS
    assert keys.valid is None
    assert code_of(keys.extend) == code_of(keys.close) == -1125
    assert keys.expire() == key
    assert keys.expire() is None
    assert keys.open() != key


def test_closing() -> None:
    """A closed key is gone, its listeners are told, and the next one is another."""
    keys, closed = ListenKeys(Hours()), list[str]()
    keys.on_close = closed.append
    key = keys.open()
    keys.close()
    assert closed == [key]
    assert code_of(keys.extend) == code_of(keys.close) == -1125
    assert keys.expire() is None
    assert keys.open() != key
