"""Exchanges: what can be asked, and how that fails."""
