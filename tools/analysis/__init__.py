"""Pure analysis: series, templates, diffs and call graphs in, findings out. Nothing here reads a source."""
