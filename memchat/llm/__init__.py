"""Language models and embedders: LiteLLM and the built-in ones."""
