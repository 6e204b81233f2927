"""SQLite holds the truth; the vector index is a copy of it."""
