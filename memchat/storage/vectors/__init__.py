"""Store and search embedding vectors."""
