"""Text that every encoder accepts."""


def well_formed(text: str) -> str:
    """`text` with each lone surrogate, which UTF-8 cannot hold, replaced by a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
