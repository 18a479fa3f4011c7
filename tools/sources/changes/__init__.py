"""Back ends for deploys, commits, flags and status feeds."""
