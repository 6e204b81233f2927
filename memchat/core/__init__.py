"""Frozen values and protocols; they know no vendor."""
