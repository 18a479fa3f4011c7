"""Clients of outside trackers: one file each. What a ticket says and who allows it is decided elsewhere."""
