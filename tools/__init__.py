"""The hands: each tool does one thing to the outside world and knows nothing of runs or agents."""
