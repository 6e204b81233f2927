"""One turn's own share: what memchat adds before the model is called and after it has answered, with 10,000 memories.

    OPENBLAS_NUM_THREADS=1 python -m tests.benchmarks.turn [--memories 10000] [--messages 20000] [--turns 40]

The model is a server on loopback that notes when a request arrives. The variable is what `memchat` sets for itself.

From inside, over the index, warm: `Conversation.turn` is all that happens between Enter and the call; its CPU time is
to be read where other programs keep the machine busy. "To the request's
arrival" goes on to the server; the same request is then sent bare through LiteLLM, and the difference is memchat's own
share. "Last token to recorded" ends when the reply is on disk. Storing one learned fact is embedding it with its cues
and writing it; learning one exchange is all that the learner does, its call to the model answered at once.

Through a pseudo-terminal: from the Enter key to the request's arrival, and from there to the next prompt. Both hold
what LiteLLM and the terminal cost; the reply, of some fifteen words, is sent as fast as it goes.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from memchat.app import App
from memchat.chat.conversation import Conversation
from memchat.chat.sessions import ChatOptions
from memchat.config import Settings
from memchat.core.protocols import ModelRequest
from memchat.core.types import Add, Draft, LearningJob, Owner
from memchat.learning.pipeline import LearningContext, learn
from memchat.llm.litellm_setup import litellm
from memchat.llm.options import ModelOptions
from memchat.storage.results import Phase
from memchat.text.embedding import embed
from tests.api.scripted_memory import is_extraction
from tests.benchmarks.loopback import PromptServer
from tests.benchmarks.measure import conditions, milliseconds, spread
from tests.benchmarks.startup import USER, environment
from tests.benchmarks.synthetic import Pool, fill_messages, questions, told
from tests.benchmarks.tables import table
from tests.benchmarks.terminal_run import PROMPT, TerminalRun
from tests.scripted_server import Reply, ScriptedServer

MODEL = "openai/scripted"
REPLY = "Here is what I would do about it: ask, then wait a day, and then decide."
WARM = 5
STORED = 30
SETTLE_S = 8.0
"""What a chat loads behind its first prompt takes some seconds; this benchmark is about a warm one."""
PAUSE_S = 0.3
BUDGETS = {
    "the difference: memchat's own share": "15",
    "last token to recorded": "20",
    "storing one learned fact": "40",
}

Taken = dict[str, list[float]]


class Model:
    """What the server answers, and when chat requests arrived."""

    def __init__(self) -> None:
        self.arrived: list[float] = []

    def __call__(self, payload: dict[str, Any]) -> Reply:
        if not is_extraction(payload):
            self.arrived.append(time.perf_counter())
            return Reply(REPLY)
        return Reply(_lesson(payload["messages"][-1]["content"]))


def _lesson(asked: str) -> str:
    """What an extraction model answers: one fact where the person states one, else nothing."""
    said = json.loads(asked)["user"]
    fact = {"text": said, "quote": said, "category": "other", "cues": ["choosing a restaurant", "planning a trip"]}
    return json.dumps({"facts": [] if said.endswith(("?", ".")) else [fact]})


def inside(home: Path, server: ScriptedServer, model: Model, turns: int, *, excerpts: bool) -> Taken:
    settings = Settings(home, USER, model=MODEL, extraction_model=MODEL, excerpts=excerpts)
    taken: Taken = {}
    with App(settings, owns_index=True, models={MODEL: ModelOptions("sk-scripted", server.base_url)}) as app:
        app.warm_up(MODEL)
        while (state := app.engine.held_index_state(app.fingerprint)) is not None and state.phase is not Phase.READY:
            time.sleep(0.05)
        conversation = app.conversation(ChatOptions(USER), MODEL, app.store, app.recall)
        for text in questions(WARM, seed=1):
            _turn(conversation, text, Times(model, server, {}))
        for text in questions(turns):
            _turn(conversation, text, Times(model, server, taken))
        drafts = told(2 * STORED, seed=1)
        taken["storing one learned fact"] = [milliseconds(partial(_store, app, draft)) for draft in drafts[:STORED]]
        taken["learning one exchange, with its call"] = list(_lessons(app, conversation, drafts[STORED:]))
    return taken


@dataclass(frozen=True, slots=True)
class Times:
    """Where the times of turns go."""

    model: Model
    server: ScriptedServer
    taken: Taken

    def note(self, name: str, seconds: float) -> None:
        self.taken.setdefault(name, []).append(seconds * 1000)


def _turn(conversation: Conversation, text: str, times: Times) -> None:
    entered, busy = time.perf_counter(), time.process_time()
    turn = conversation.turn(text)
    prepared = last = time.perf_counter()
    busy = time.process_time() - busy
    with turn as pieces:
        for _ in pieces:
            last = time.perf_counter()
    recorded = time.perf_counter()
    arrived = times.model.arrived[-1] - entered
    bare = _bare(turn.request, times)
    times.note("Conversation.turn", prepared - entered)
    times.note("Conversation.turn, CPU of all threads", busy)
    times.note("to the request's arrival", arrived)
    times.note("the same request bare through LiteLLM", bare)
    times.note("the difference: memchat's own share", arrived - bare)
    times.note("last token to recorded", recorded - last)


def _bare(request: ModelRequest, times: Times) -> float:
    """Seconds from calling LiteLLM with the same messages to their arrival."""
    messages = [{"role": message.role.value, "content": message.content} for message in request.messages]
    called = time.perf_counter()
    stream = litellm().completion(
        MODEL,
        messages,
        stream=True,
        max_retries=0,
        timeout=60.0,
        api_key="sk-scripted",
        api_base=times.server.base_url,
    )
    for _ in stream:
        pass
    return times.model.arrived[-1] - called


def _store(app: App, draft: Draft) -> None:
    fact = replace(draft, owner=Owner.user(USER))
    app.store.apply([Add(fact)], list(embed(app.embedder, [fact])))


def _lessons(app: App, conversation: Conversation, drafts: Sequence[Draft]) -> Iterator[float]:
    """Say something worth learning, learn it; milliseconds of the learning."""
    context = app.learning_context(MODEL)
    try:
        while (work := context.store.work.claim(USER)) is not None:
            context.store.work.discard(work)
        for draft in drafts:
            with conversation.turn(draft.text) as turn:
                for _ in turn:
                    pass
            work = context.store.work.claim(USER)
            assert work is not None
            yield milliseconds(partial(_learn, context, work))
    finally:
        context.close()


def _learn(context: LearningContext, work: LearningJob) -> None:
    result = learn(context, work)
    if result.error or not result.applied:
        raise SystemExit(f"nothing was learned: {result.error}")


def outside(home: Path, server: ScriptedServer, model: Model, turns: int) -> Taken:
    """The same through the terminal, in a process of its own, the learner at work behind the prompt."""
    env = {**environment(home), **server.environment(), "MEMCHAT_EXTRACTION_MODEL": MODEL}
    command = [str(Path(sys.executable).with_name("memchat")), "chat", "--model", MODEL]
    taken: Taken = {}
    with TerminalRun(command, env) as run:
        run.wait_for(PROMPT)
        time.sleep(SETTLE_S)
        for number, text in enumerate([*questions(WARM, seed=1), *questions(turns, seed=2)]):
            run.type(text.encode())
            time.sleep(PAUSE_S)
            entered = run.type(b"\r")
            back = run.wait_for(PROMPT)
            if number >= WARM:
                times = Times(model, server, taken)
                times.note("Enter to the request's arrival", model.arrived[-1] - entered)
                times.note("request's arrival to the prompt", back - model.arrived[-1])
    return taken


def _rows(taken: Taken) -> list[list[str]]:
    return [[name, spread(values), BUDGETS.get(name, "")] for name, values in taken.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=40)
    arguments = parser.parse_args()
    print(conditions())
    model = Model()
    with tempfile.TemporaryDirectory() as folder, PromptServer(model) as server:
        home = Path(folder)
        with App(Settings(home, USER)) as app:
            Pool(app.embedder).fill(app.store, USER, arguments.memories)
            fill_messages(app.store, app.embedder, USER, arguments.messages)
            app.engine.rebuild_index(app.fingerprint)
        # The terminal comes first: its process takes the index over as the last one left it.
        terminal = _rows(outside(home, server, model, arguments.turns))
        without = _rows(inside(home, server, model, arguments.turns, excerpts=False))
        own = _rows(inside(home, server, model, arguments.turns, excerpts=True))
    heads = ["ms: median / p95", "budget"]
    print(f"\n{arguments.memories} memories, {arguments.messages} messages, {arguments.turns} turns\n")
    print(table(["from inside", *heads], own))
    print("\n" + table(["from inside, without excerpts", *heads], without))
    print("\n" + table(["through the terminal", *heads], terminal))


if __name__ == "__main__":
    main()
