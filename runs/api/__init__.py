"""The DRF API of the record."""
