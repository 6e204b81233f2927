"""Check and repair an installation."""
