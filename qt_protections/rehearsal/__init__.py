"""The local Binance USD-M futures exchange: a Binance to fall down on, over loopback only."""
