"""Client ids for orders that Freqtrade sends, which has no parameter for one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from freqtrade.exchange import Exchange


class ClientIds:
    """Gives the next order of a thread a client id; Freqtrade has no parameter for it.

    Margin type and leverage, which Freqtrade sends within `create_order`, tell it how far that got.
    """

    def __init__(self, exchange: Exchange, *, are_found: bool) -> None:
        """Take the places of what Freqtrade calls on the way to the exchange.

        Args:
            exchange: The bot's exchange.
            are_found: Whether orders can be found by client id. If not, none gets one: there an id
                is of no use, and many exchanges refuse orders with ids of this length or form.
        """
        self._are_found = are_found
        self._is_dry = bool(exchange._config["dry_run"])
        self._get_params = exchange._get_params
        self._lev_prep = exchange._lev_prep
        self._of_thread = threading.local()
        exchange._get_params = self._params  # type: ignore[method-assign]
        exchange._lev_prep = self._prepare_once  # type: ignore[method-assign]

    def prepare(self, order: dict[str, Any]) -> None:
        """Send what has to go out before an entry, as Freqtrade's `create_order` would."""
        if not self._is_dry:
            self._lev_prep(
                order["pair"],
                order["leverage"],
                order["side"],
                accept_fail=not order.get("initial_order", True),
            )

    @contextmanager
    def given(self, client_id: str, *, is_prepared: bool = False) -> Iterator[None]:
        """Name the order that is sent within, where names are of use.

        Args:
            client_id: Its name.
            is_prepared: Whether `prepare` was called for it: an entry, which Freqtrade sends right
                after it asked for that.
        """
        self._of_thread.client_id = client_id if self._are_found else None
        self._of_thread.is_prepared = is_prepared
        self._of_thread.sent = not is_prepared
        try:
            yield
        finally:
            self._of_thread.client_id = None
            self._of_thread.is_prepared = False

    @property
    def sent(self) -> bool:
        """Whether this thread's last order can have been sent at all."""
        return bool(self._of_thread.sent)

    def _params(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        params = self._get_params(*args, **kwargs)
        client_id = getattr(self._of_thread, "client_id", None)
        return params if client_id is None else {**params, "clientOrderId": client_id}

    def _prepare_once(self, *args: Any, **kwargs: Any) -> None:
        """Stand in for `_lev_prep`: the order goes out after it, and was not sent if it fails."""
        self._of_thread.sent = False
        if not getattr(self._of_thread, "is_prepared", False):
            self._lev_prep(*args, **kwargs)
        self._of_thread.is_prepared = False
        self._of_thread.sent = True
