"""The interactive chat and its non-interactive form."""
