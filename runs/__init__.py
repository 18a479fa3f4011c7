"""The record: what happened, what is allowed next, who said so. It imports neither the agent nor the tools."""
