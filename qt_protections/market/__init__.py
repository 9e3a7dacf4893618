"""Candles to trends and signals."""
