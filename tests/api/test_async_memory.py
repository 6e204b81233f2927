"""`AsyncMemory`: the same calls, awaited."""

import asyncio
import inspect

import pytest

from memchat import AsyncMemory, Memory
from memchat.errors import NotFound
from tests.scripted_server import ScriptedServer


def test_the_calls_of_memory_can_be_awaited(server: ScriptedServer) -> None:
    """Many at once, too."""

    async def story() -> None:
        async with AsyncMemory() as memory:
            await memory.add("I live in Berlin", user_id="al")
            await asyncio.gather(*(memory.add(f"Note {n}.", user_id="al", infer=False) for n in range(8)))
            assert len((await memory.get_all(user_id="al"))["results"]) == 9
            found = (await memory.search("Berlin", user_id="al", filters={"role": {"ne": "user"}}))["results"]
            assert [row["memory"] for row in found] == ["User lives in Berlin."]
            await memory.update(found[0]["id"], "User lives in Rome.")
            assert (await memory.get(found[0]["id"]))["memory"] == "User lives in Rome."
            assert await memory.history(found[0]["id"])
            await memory.delete(found[0]["id"])
            with pytest.raises(NotFound):
                await memory.get(found[0]["id"])
            assert (await memory.chat("Hello", "al"))["reply"]
            assert (await memory.delete_all(user_id="al"))["erased"] == 8
            await memory.reset()

    asyncio.run(story())


def test_no_call_of_memory_is_missing() -> None:
    """What is added there is added here, but for what streams or serves the servers."""
    public = {name for name, one in inspect.getmembers(Memory, inspect.isfunction) if not name.startswith("_")}
    here = {name for name, one in inspect.getmembers(AsyncMemory, inspect.isfunction) if not name.startswith("_")}
    assert public - here == {"warm_up", "connection", "chat_stream", "complete", "complete_stream", "count", "entities"}
