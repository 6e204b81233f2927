"""Ids of what memchat makes."""


def new_id() -> str:
    """A UUIDv7 (RFC 9562): ids sort by the time they were made."""
    import uuid_utils

    return str(uuid_utils.uuid7())
