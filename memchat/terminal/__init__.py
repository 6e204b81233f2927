"""The chat loop a person sees."""
