"""The fingerprint of the built-in embedder's vectors, which is needed long before the models are."""

MULTILINGUAL_DIMENSION = 384
ENGLISH_DIMENSION = 384
FINGERPRINT = f"builtin/multilingual-e5-small+all-MiniLM-L6-v2:{MULTILINGUAL_DIMENSION}+{ENGLISH_DIMENSION}"
