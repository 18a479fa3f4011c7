"""Peers and floors, each as `python -m bench.peers.…` in an environment that has what it imports; never OpsPilot."""
