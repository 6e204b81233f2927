"""The built-in offline model: rules as data in `patterns.txt`, and the engine that applies them."""
