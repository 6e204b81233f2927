"""Normalise, sanitise and redact text."""
