"""The Django admin: approval queue, audit browser, read-only views of the record, and who may do what."""
