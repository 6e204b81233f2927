"""Server-sent events from a blocking generator that runs on a thread of its own."""

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
"""Seconds without an event after which a comment is sent, so that no proxy takes the connection for dead."""
PING = ": ping\n\n"

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class End(Generic[Value]):
    """The end of a generator, with its return value or what it raised."""

    value: Value | None = None
    error: BaseException | None = None


class Relay(Generic[Item, Value]):
    """The items of a blocking generator, for one coroutine.

    Once the coroutine has gone, the generator is closed at its next item.
    """

    def __init__(self, source: Callable[[], Generator[Item, None, Value]], calls: ModelCalls) -> None:
        self._source = source
        self._items: asyncio.Queue[Item | End[Value]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._gone = threading.Event()
        self._task = asyncio.create_task(self._run(calls))

    async def next(self, timeout_s: float | None = None) -> Item | End[Value]:
        """The next item, or the end. Raises TimeoutError."""
        return await asyncio.wait_for(self._items.get(), timeout_s)

    def leave(self) -> None:
        """Want no more items."""
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
    """How items, the end and a failure are written as events; each gives the text of one or of none."""

    item: Callable[[Item], str]
    end: Callable[[Value | None], str]
    failure: Callable[[BaseException], str]


async def event_stream(relay: Relay[Item, Value], events: Events[Item, Value]) -> StreamingResponse:
    """The answer that sends what `relay` brings. Raises what failed before the first item, for a status of its own."""
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
    """One event with JSON in ASCII as its data."""
    named = "" if name is None else f"event: {name}\n"
    return f"{named}data: {json.dumps(data, allow_nan=False, separators=(',', ':'))}\n\n"
