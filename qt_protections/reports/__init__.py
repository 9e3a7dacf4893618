"""What happened, as tables a person reads."""
