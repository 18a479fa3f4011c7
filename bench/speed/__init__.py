"""How fast: OpsPilot beside its peers and beside the floor that the machine sets."""
