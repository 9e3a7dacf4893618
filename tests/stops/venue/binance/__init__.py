"""Tests of binance."""
