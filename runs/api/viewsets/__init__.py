"""What each address of the API does: look the row up, ask permission, call one service."""
