"""Orders, positions and money: what is taken, filled, margined, triggered and liquidated."""
