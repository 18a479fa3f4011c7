"""The only code that writes the record: one function a verb, each one transaction, each change a Step."""
