"""The Claude planner: prompts, transcript to messages, the API client, its faults. Only this room knows the SDK."""
