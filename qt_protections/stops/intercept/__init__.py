"""Where Freqtrade sends orders and asks after stops."""
