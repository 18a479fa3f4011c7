"""What the API reads and shows, one noun a file."""
