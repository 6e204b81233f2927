"""A whole chat on real parts but for the model's end: what the terminal tests run, here or as a program of its own."""

import os
import sys
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from memchat.app import App
from memchat.chat.sessions import ChatOptions
from memchat.config import Settings, Thinking
from memchat.core.protocols import Completion, Cut, Delta, LanguageModel, ModelRequest
from memchat.errors import ModelUnreachable
from memchat.repl import loop
from memchat.repl.notifications import NotificationQueue
from memchat.repl.terminal_modes import no_echo

SLOW_WORDS = 300


class ScriptedModel:
    """Answers by what the last message asks for: an echo, a slow and long text, or a failure. It learns one fact."""

    name = "scripted/model"
    context_tokens = 8_000

    def __init__(self, pause_s: float = 0.0) -> None:
        self._pause_s = pause_s

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        asked = request.messages[-1].content
        while asked.rpartition("\n\n")[2].startswith("hang"):
            time.sleep(self._pause_s)
        if asked.startswith("think"):
            yield from (Delta(thinking=f"{word} ") for word in ("two", "and", "two"))
            yield Delta(thinking="make")
            yield Delta("It is 4.")
            return
        if asked.startswith("cut"):
            yield from (Delta("It is "), Delta(cut=Cut.LENGTH))
            return
        if asked.startswith("fail"):
            raise ModelUnreachable("Nothing answers there.", hint="Is it running?")
        reply = "word " * SLOW_WORDS if asked.startswith("slow") else f"You **said** {asked!r}, and that is all."
        for word in reply.split(" "):
            time.sleep(self._pause_s)
            yield Delta(f"{word} ")

    def complete(self, request: ModelRequest) -> Completion:
        if request.messages[0].content.startswith("Summarise this conversation"):
            return Completion(f"In short: {len(request.messages[-1].content)} characters.")
        if "tea" not in request.messages[-1].content:
            return Completion('{"facts": []}')
        time.sleep(self._pause_s * 50)
        fact = '{"text": "Likes tea.", "quote": "I like tea", "category": "preference", "cues": []}'
        return Completion(f'{{"facts": [{fact}]}}')


class ScriptedApp(App):
    """The real thing, with a scripted model under whatever name is asked for."""

    pause_s = 0.0

    def model(self, name: str) -> LanguageModel:
        return ScriptedModel(self.pause_s)

    def warm_up(self, model: str) -> None:
        """Nothing: there is no vendor's library to load for this model."""


def settings(home: Path) -> Settings:
    return Settings(home=home, user="al", model="scripted/model")


def main() -> int:
    """Chat in the terminal with the data directory in TEST_HOME; replies come a word every 10 ms."""
    ScriptedApp.pause_s = 0.01
    notes = NotificationQueue()
    home = Path(os.environ["TEST_HOME"])
    options = ChatOptions("al", session=os.environ.get("TEST_SESSION"))
    chosen = replace(
        settings(home),
        thinking=Thinking(os.environ.get("MEMCHAT_THINKING", "folded")),
        toolbar=os.environ.get("MEMCHAT_TOOLBAR") == "on",
        vi=os.environ.get("MEMCHAT_VI") == "on",
        extraction_model=os.environ.get("MEMCHAT_EXTRACTION_MODEL"),
    )
    # Long enough for the slowest machine, where a test sees what the rules of the offline model have learned.
    loop.LEARNED_WITHIN_S = float(os.environ.get("TEST_LEARNED_WITHIN_S", "0"))
    with no_echo(), ScriptedApp(chosen) as app, app.chat(options, notes) as chat:
        return loop.run_chat(chat, app, notes)


if __name__ == "__main__":
    sys.exit(main())
