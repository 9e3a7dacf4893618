"""Threads of the guard's own."""
