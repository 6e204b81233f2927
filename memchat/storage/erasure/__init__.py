"""Delete permanently, and verify it down to the bytes."""
