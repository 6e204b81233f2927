"""Delete for good, and verify it down to the bytes."""
