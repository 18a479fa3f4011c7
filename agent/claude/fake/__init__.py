"""A stand-in of the Messages API for development and tests: strict about requests, scripted answers, no model."""
