"""Prices: the contracts, the made-up and the recorded market, candles, the order book."""
