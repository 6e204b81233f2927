"""The store: what is true, and the index over it."""
