"""What people are told outside of the pages: by the system, from the record, with a link and nothing to decide by."""
