"""Freqtrade's trades as the bot's thread reads them: anew, once something about them has changed.

To load every open trade with its orders takes most of the time of a loop in which nothing happens.
So a loop first reads the few columns that the guard goes by, as plain rows.
"""

import logging

from freqtrade.persistence import Order, Trade
from sqlalchemy import Table, select
from sqlalchemy.exc import SQLAlchemyError

from qt_protections.errors import withhold_secrets

logger = withhold_secrets(logging.getLogger(__name__))

_TRADES: Table = Trade.__table__  # type: ignore[assignment]
_ORDERS: Table = Order.__table__  # type: ignore[assignment]
#: What `TradeReconciliation` reads of a trade and its orders, and what may change of them.
_READ = [
    *(_TRADES.c[name] for name in ("id", "pair", "is_short", "amount", "open_rate", "leverage")),
    *(_TRADES.c[name] for name in ("stop_loss", "initial_stop_loss")),
    *(_ORDERS.c[name] for name in ("id", "order_id", "ft_is_open", "status", "amount", "filled")),
    *(_ORDERS.c[name] for name in ("price", "average", "order_filled_date")),
]
_OF_OPEN_TRADES = (
    select(*_READ)
    .select_from(_TRADES.outerjoin(_ORDERS, _ORDERS.c.ft_trade_id == _TRADES.c.id))
    .where(_TRADES.c.is_open.is_(True))
    .order_by(_TRADES.c.id, _ORDERS.c.id)
)


def write_down() -> bool:
    """Commit what this thread has changed; return whether that is written now.

    A commit has every trade read anew, so one of nothing keeps what was read. It is needed all the
    same: it ends this thread's transaction, so that what this thread reads next is what other
    threads have written until now.
    """
    session = Trade.session()
    session.expire_on_commit = bool(session.new or session.dirty or session.deleted)
    try:
        session.commit()
    except SQLAlchemyError:
        give_up()
        logger.exception("[ALERT] What was left to write down before this loop is lost.")
        return False
    finally:
        session.expire_on_commit = True
    return True


def give_up() -> None:
    """Undo what this thread has not written; the thread gets another session if its own is stuck.

    SIGTERM is an exception in Freqtrade. One that comes out of a commit leaves the session
    half-way: then the session takes neither commit nor rollback, and the cleanup needs both.
    """
    try:
        Trade.rollback()
    except SQLAlchemyError:
        Trade.session.remove()


def read_anew() -> None:
    """Forget what this thread has read of the trades: another may have changed them since."""
    Trade.session.expire_all()


def rows() -> list[tuple[object, ...]]:
    """Return what the database has now of open trades and their orders, one row for each order."""
    return [tuple(row) for row in Trade.session.execute(_OF_OPEN_TRADES)]
