"""Tools that are declared, not written: a command or a request in tools.yaml, and tools of MCP servers."""
