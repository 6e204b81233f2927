"""The Chroma index, rebuilt from SQLite when in doubt."""
