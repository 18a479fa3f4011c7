"""What a policy says of a call: rules, their conditions, their YAML, and what they come to. Pure; reads no database."""
