"""Ids of what memchat makes."""


def new_id() -> str:
    """Create a UUIDv7 (RFC 9562); ids sort by their time of creation."""
    import uuid_utils

    return str(uuid_utils.uuid7())
