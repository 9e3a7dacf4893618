"""The life of an exchange-side stop: placed before the entry, adopted by the trade, cleared."""
