"""The built-in model: rules, no language model."""
