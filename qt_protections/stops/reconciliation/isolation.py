"""Work on one pair that must not keep another from its own."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from freqtrade.persistence import Trade

from qt_protections.errors import withhold_secrets
from qt_protections.rules.pairs import symbol_of

logger = withhold_secrets(logging.getLogger(__name__))


@contextmanager
def apart(pair: str, failed: set[str] | None = None) -> Iterator[None]:
    """Write down what is done within, and let no failure keep another pair from being seen to.

    For the bot's own thread. Where nothing was done nothing is committed: after a commit every
    trade is read anew from the database.

    Args:
        pair: What is named if it fails.
        failed: Takes the pair then.
    """
    try:
        yield
        session = Trade.session
        if session.new or session.dirty or session.deleted:
            Trade.commit()
    except Exception:
        Trade.rollback()
        if failed is not None:
            failed.add(pair)
        logger.exception("[ALERT] %s could not be looked after in this loop.", symbol_of(pair))
