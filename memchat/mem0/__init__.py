"""mem0's configuration, arguments and results."""
