"""Entry gates, risk sizing and exchange-side stops for any Freqtrade strategy."""

__version__ = "0.1.0"
