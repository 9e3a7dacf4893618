"""The rehearsal exchange."""
