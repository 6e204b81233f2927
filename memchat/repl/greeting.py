"""The first lines of a chat."""

import os

from memchat.core.types import OFFLINE
from memchat.llm.model_choice import local_ollama
from memchat.repl.commands.registry import CommandContext
from memchat.repl.last_words import last_words
from memchat.repl.layout import columns
from memchat.storage.short_ids import new_conversation
from memchat.text.plurals import pluralize
from memchat.text.sanitize import one_line

_NO_MODEL = (
    "No AI model is set up yet, so memchat is in offline mode: it remembers what you tell it and can look it up, but "
    "it cannot really chat. To use a model, /quit, do one of these, and start memchat again:"
)
OLLAMA = "ollama_chat/"
MOST_NAMED = 8
"""Maximum number of Ollama models listed."""
_PULL = "ollama pull llama3.2"
_WAYS: tuple[tuple[str, str], ...] = (
    ("memchat setup", "choose a model step by step; the key is saved on this machine"),
    ("export OPENAI_API_KEY=…", "or ANTHROPIC_, GEMINI_, MISTRAL_, GROQ_, OPENROUTER_, DEEPSEEK_, XAI_API_KEY"),
    (_PULL, "a model on this machine; memchat finds a running Ollama"),
    ("export OPENAI_API_BASE=…", "any server with an OpenAI-compatible API, with --model openai/NAME"),
)
_OFFLINE = "Offline mode: I remember what you tell me and can look it up. /model NAME switches to a language model."


def greeting(context: CommandContext) -> str:
    """Return the banner: user, model and number of memories, and how to set up a model if there is none."""
    conversation = context.chat.conversation
    count = context.count()
    remembered = pluralize(count, "memory", "memories") if conversation.remembers else "no memory"
    parts = [one_line(context.user), one_line(conversation.model.name), remembered, "/help for help"]
    lines = [" · ".join(parts)]
    session = conversation.session
    if conversation.model.name == OFFLINE and not context.lacks_model:
        lines.append(_OFFLINE)
    elif conversation.model.name == OFFLINE:
        ways = _WAYS
        if local_ollama(os.environ) is not None:
            # It runs without a chat model: with one, memchat would not be in offline mode.
            lacking = (_PULL, "Ollama is running on this machine, and has no chat model yet")
            ways = (lacking, *(way for way in _WAYS if way[0] != _PULL))
        lines += [_NO_MODEL, columns(ways)]
    elif conversation.model.name.startswith(OLLAMA) and not count and not session.messages:
        others = [name for name in local_ollama(os.environ) or () if f"{OLLAMA}{name}" != conversation.model.name]
        if others:
            named = ", ".join(map(one_line, others[:MOST_NAMED]))
            more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
            has = f"Ollama is running on this machine. It also has: {named}{more}."
            lines.append(f"{has} /model NAME switches; Tab lists them.")
    if session.messages:
        lines.append(last_words(context, session))
    elif started := new_conversation(session):
        lines.append(one_line(started))
    return "\n".join(lines)
