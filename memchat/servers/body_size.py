"""Limit the size of request bodies, by path."""

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

MAX_BODY = 256 << 10
"""Maximum size of a request body, in bytes. Rules read the text several times; a megabyte can take them a minute."""
MAX_COMPLETION = 32 << 20
"""Maximum size of a chat completion request, in bytes: a whole conversation, of which rules read the last message."""


def limit_body(receive: Receive, path: str) -> Receive:
    """Wrap `receive` to raise HTTPException as soon as a body exceeds the limit, even if it announced less."""
    limit = MAX_COMPLETION if path == "/v1/chat/completions" else MAX_BODY
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise HTTPException(413, f"A request body may have at most {limit} bytes.")
        return message

    return limited
