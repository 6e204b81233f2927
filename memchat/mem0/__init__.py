"""mem0's configuration and result shapes."""
