"""The built-in offline model: rules that keep what they understand, and answers from memory.

It implements the protocol of language models, so that everything else works without an account and a network.
"""

import json
import re
from collections.abc import Generator, Sequence
from typing import Any

from memchat.core.protocols import Completion, Delta, ModelRequest, PromptMessage, Usage
from memchat.core.types import Role

_ONLY = re.compile(r"(?i)\b(?:only|leave out|ignore|skip|nothing else|nothing but)\b")
_INSTRUCTED = "The operator's own instructions on what to keep:"
_NOTHING = json.dumps({"facts": [], "confirmed": [], "ended": [], "outdated": [], "forget": []})


class OfflineModel:
    """Implements `core.protocols.LanguageModel`. Answers at once, costs nothing and never fails."""

    name = "offline"
    context_tokens = 8192

    def count_tokens(self, text: str) -> int:
        """Estimate at four characters a token."""
        return -(-len(text) // 4)

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        completion = self.complete(request)
        for word in re.findall(r"\s*\S+\s*", completion.text):
            yield Delta(word)
        yield Delta(usage=completion.usage)

    def complete(self, request: ModelRequest) -> Completion:
        text = _extracted(request.messages) if request.schema is not None else _answered(request.messages)
        asked = sum(self.count_tokens(message.content) for message in request.messages)
        return Completion(text, Usage(asked, self.count_tokens(text), 0.0))


def _extracted(messages: Sequence[PromptMessage]) -> str:
    from memchat.offline.extraction import learn

    for message in reversed(messages):
        if message.role is Role.USER and (inputs := _inputs(message.content)):
            return learn(inputs, _wanted_categories(messages))
    return _NOTHING


def _inputs(content: str) -> dict[str, Any] | None:
    try:
        inputs = json.loads(content)
    except ValueError:
        return None
    return inputs if isinstance(inputs, dict) and inputs.keys() >= {"today", "known", "user"} else None


def _wanted_categories(messages: Sequence[PromptMessage]) -> Sequence[str]:
    """Return the categories to which the operator's instructions limit learning; empty for all."""
    from memchat.core.types import CATEGORIES

    _, given, instructions = next((m.content for m in messages if m.role is Role.SYSTEM), "").partition(_INSTRUCTED)
    if not given or not _ONLY.search(instructions):
        return ()
    return [category for category in CATEGORIES if re.search(rf"(?i)\b{category}s?\b", instructions)]


def _answered(messages: Sequence[PromptMessage]) -> str:
    from memchat.offline.replies import answer

    system = "\n".join(message.content for message in messages if message.role is Role.SYSTEM)
    said = next((message.content for message in reversed(messages) if message.role is Role.USER), "")
    return answer(said, system)
