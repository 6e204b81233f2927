"""A program that holds a conversation and learns from it, to be killed: says on stdout what it has acknowledged.

    python -m tests.soak.load_generator HOME USER FIRST TURNS [MODEL] [--index]

Each turn tells of a lamp with a number of its own. `said N` means that message N is on disk, `ended N` that its reply
is. With TURNS 0 it only learns what waits. At the end it waits until all is learned and says `settled`.
"""

import json
import random
import sys
import time
from collections.abc import Generator
from pathlib import Path

from memchat.app import App
from memchat.chat.sessions import ChatOptions
from memchat.config import Settings
from memchat.core.protocols import Completion, Delta, LanguageModel, ModelRequest
from memchat.learning.worker import LearningWorker

PARROT = "parrot"
PAUSES_S = (0.0, 0.005, 0.02)
SETTLE_S = 900.0
LOOK_S = 0.05


def message(number: int) -> str:
    return f"By the way, I own a lamp numbered {number}."


def fact(number: int) -> str:
    return f"User owns a lamp numbered {number}."


def extraction_reply(inputs: str) -> str:
    """What a model makes of an extraction request's inputs: the one fact about a lamp."""
    said = json.loads(inputs)["user"]
    quote = said.removeprefix("By the way, ").removesuffix(".")
    number = int(quote.rsplit(maxsplit=1)[1])
    found = {"text": fact(number), "quote": quote, "category": "other", "scope": "user", "cues": ["lighting a room"]}
    return json.dumps({"facts": [found], "confirmed": [], "ended": [], "outdated": [], "forget": []})


class Parrot:
    """A language model that takes its time."""

    name = PARROT
    context_tokens = 8192

    def count_tokens(self, text: str) -> int:
        return len(text) // 4

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        for piece in ("A lamp, ", "how ", "nice."):
            time.sleep(random.choice(PAUSES_S))
            yield Delta(piece)

    def complete(self, request: ModelRequest) -> Completion:
        time.sleep(random.choice(PAUSES_S))
        return Completion(extraction_reply(request.messages[-1].content))


class TalkingApp(App):
    """The whole program, with the parrot as one of the models that can be had."""

    def model(self, name: str) -> LanguageModel:
        return Parrot() if name == PARROT else super().model(name)


def tell(word: str) -> None:
    print(word, flush=True)


def talk(app: App, options: ChatOptions, numbers: range) -> None:
    with app.chat(options) as chat:
        tell("ready")
        for number in numbers:
            tell(f"saying {number}")
            with chat.conversation.turn(message(number)) as turn:
                tell(f"said {number}")
                for _ in turn:
                    pass
            tell(f"ended {number}")
            chat.learning_worker.notify()
        tell("settled" if learned(app, chat.learning_worker) else "still learning")


def learned(app: App, learner: LearningWorker) -> bool:
    """Wait until no work is left, whatever it had failed on before. False when that takes too long."""
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        learner.wait_until_idle(deadline - time.monotonic())
        if not app.store.work.pending(app.settings.user):
            return True
        app.store.work.retry_all(app.settings.user)
        time.sleep(LOOK_S)
    return False


def main(arguments: list[str]) -> None:
    index = "--index" in arguments
    home, user, first, turns, *model = [word for word in arguments if word != "--index"]
    start = int(first)
    with TalkingApp(Settings(Path(home), user, model=(model or [PARROT])[0]), owns_index=index) as app:
        talk(app, ChatOptions(user), range(start, start + int(turns)))


if __name__ == "__main__":
    main(sys.argv[1:])
