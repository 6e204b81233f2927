"""SQLite truth and the Chroma index over it."""
