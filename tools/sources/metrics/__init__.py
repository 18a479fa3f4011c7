"""Metric back ends."""
