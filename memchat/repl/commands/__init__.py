"""Slash commands, by group."""
