"""Trades, positions and entries compared with the exchange."""
