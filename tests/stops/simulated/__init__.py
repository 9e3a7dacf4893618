"""Tests of simulated."""
