"""Benchmarks beside the peers, in the same run. Imports anything; nothing of the product imports it."""
