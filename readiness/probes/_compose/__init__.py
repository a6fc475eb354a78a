"""Compose files: read and merged as Compose does it, and what is asked of them."""
