"""Server-sent events from a blocking generator, which runs on its own thread."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.responses import StreamingResponse

from memchat.errors import traceback_without_message
from memchat.servers.model_calls import ModelCalls

log = logging.getLogger(__name__)

PING_S = 15.0
"""Seconds without an event after which a comment is sent, so that proxies keep the connection open."""
PING = ": ping\n\n"

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class End(Generic[Value]):
    """The end of a generator, with its return value or its exception."""

    value: Value | None = None
    error: BaseException | None = None


class Relay(Generic[Item, Value]):
    """Passes the items of a blocking generator to a coroutine.

    After `leave`, the generator is closed at its next item.
    """

    def __init__(self, source: Callable[[], Generator[Item, None, Value]], calls: ModelCalls) -> None:
        self._source = source
        self._items: asyncio.Queue[Item | End[Value]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._gone = threading.Event()
        self._task = asyncio.create_task(self._run(calls))

    async def next(self, timeout_s: float | None = None) -> Item | End[Value]:
        """Return the next item, or the end. Raises TimeoutError."""
        return await asyncio.wait_for(self._items.get(), timeout_s)

    def leave(self) -> None:
        """Stop receiving items."""
        self._gone.set()

    async def _run(self, calls: ModelCalls) -> None:
        try:
            await calls.run(self._produce)
        except Exception as error:
            self._items.put_nowait(End(error=error))

    def _produce(self) -> None:
        end: End[Value] = End()
        try:
            with closing(self._source()) as items:
                while not self._gone.is_set():
                    self._put(next(items))
        except StopIteration as ended:
            end = End(ended.value)
        except Exception as error:
            end = End(error=error)
        self._put(end)

    def _put(self, item: Item | End[Value]) -> None:
        self._loop.call_soon_threadsafe(self._items.put_nowait, item)


@dataclass(frozen=True, slots=True)
class Events(Generic[Item, Value]):
    """Functions that format items, the end and a failure as the text of an event; an empty text sends none."""

    item: Callable[[Item], str]
    end: Callable[[Value | None], str]
    failure: Callable[[BaseException], str]


async def event_stream(relay: Relay[Item, Value], events: Events[Item, Value]) -> StreamingResponse:
    """Stream the items of `relay` as a response. Raises an error before the first item, so that it sets the status."""
    first = await relay.next()
    if isinstance(first, End) and first.error is not None:
        raise first.error
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(first, relay, events), media_type="text/event-stream", headers=headers)


async def _events(
    first: Item | End[Value], relay: Relay[Item, Value], events: Events[Item, Value]
) -> AsyncGenerator[str, None]:
    found: Item | End[Value] = first
    try:
        while not isinstance(found, End):
            yield events.item(found)
            while True:
                try:
                    found = await relay.next(PING_S)
                    break
                except TimeoutError:
                    yield PING
        if found.error is None:
            yield events.end(found.value)
        else:
            log.debug("%s", traceback_without_message(found.error))
            yield events.failure(found.error)
    finally:
        relay.leave()


def event(data: Any, name: str | None = None) -> str:
    """Format an event whose data is JSON in ASCII."""
    named = "" if name is None else f"event: {name}\n"
    return f"{named}data: {json.dumps(data, allow_nan=False, separators=(',', ':'))}\n\n"
