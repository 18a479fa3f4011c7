"""The audit: keyed chains over what happened, their ends outside the database, their verification and export."""
