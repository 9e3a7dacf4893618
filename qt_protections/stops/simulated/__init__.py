"""Stops where there is no exchange."""
