"""Whether an entry may go out, and how large: pre-trade risk."""
