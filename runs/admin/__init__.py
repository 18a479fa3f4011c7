"""The Django admin: approval queue, audit browser, and read-only views of the record."""
