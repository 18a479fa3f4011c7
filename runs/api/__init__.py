"""The HTTP API: serializers, views, and how errors look. It decides nothing: permissions and services do."""
