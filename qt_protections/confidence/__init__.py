"""Where the confidence of a signal comes from."""
