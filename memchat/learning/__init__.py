"""Learn from each exchange in the background."""
