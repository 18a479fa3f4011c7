"""Trace back ends."""
