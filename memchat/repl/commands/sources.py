"""The values for completion in a chat, read when they are needed."""

import os
from collections.abc import Iterable

from memchat.llm.model_choice import models_in_reach
from memchat.repl.commands.conversations import titles
from memchat.repl.commands.dispatch import COMMANDS
from memchat.repl.commands.registry import CommandContext, Takes
from memchat.repl.completer import CompletionSources
from memchat.storage.short_ids import short_ids


def sources(context: CommandContext) -> CompletionSources:
    """Return the commands and the values of their arguments."""

    def memories() -> Iterable[tuple[str, str]]:
        current = context.memories()
        short = short_ids(memory.id for memory in current)
        return [(short[memory.id], memory.text) for memory in current]

    def conversations() -> Iterable[tuple[str, str]]:
        return titles(context.app.store.conversations.sessions(context.user))

    def models() -> Iterable[tuple[str, str]]:
        return models_in_reach(os.environ)

    return CompletionSources(
        commands={name: known.help for name, known in COMMANDS.items()},
        choices={name: known.choices for name, known in COMMANDS.items()},
        takes={name: known.takes for name, known in COMMANDS.items() if known.takes is not None},
        values={Takes.MEMORY: memories, Takes.SESSION: conversations, Takes.MODEL: models},
    )
