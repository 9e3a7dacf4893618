"""Orders as a trade of Freqtrade's has them on record."""

from freqtrade.persistence import Order, Trade


def put_on_record(
    trade: Trade, order_id: str, amount: float, *, is_entry: bool = False, filled: float = 0.0
) -> None:
    """Put an order of the book on a trade's record; it is open unless some of it has filled."""
    side = trade.entry_side if is_entry else trade.exit_side
    trade.orders.append(
        Order(
            order_id=order_id,
            ft_order_side=side,
            ft_pair=trade.pair,
            ft_is_open=not filled,
            ft_amount=amount,
            ft_price=98.0,
            side=side,
            status="closed" if filled else "open",
            amount=amount,
            filled=filled,
            average=98.0 if filled else None,
        )
    )
    Trade.commit()
