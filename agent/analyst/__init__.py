"""The offline planner: an algorithm over the same tools, without a model. What it concludes, it can show."""
