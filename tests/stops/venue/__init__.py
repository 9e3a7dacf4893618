"""Tests of venue."""
