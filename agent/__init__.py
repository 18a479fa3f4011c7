"""The thinking: from a transcript to the next decision."""
