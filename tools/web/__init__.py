"""Asking other people's HTTP services within limits: where to, how long, how much, how many at once."""
