"""Real backtests of guarded strategies, as processes, on candles made up here."""
