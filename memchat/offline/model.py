"""The built-in offline model: rules that keep what they understand, and answers from memory.

It implements the protocol of language models, so that everything else works without an account and a network.
"""

import json
import re
from collections.abc import Generator, Sequence

from memchat.core.protocols import Completion, Delta, ModelRequest, PromptMessage, Usage
from memchat.core.types import CATEGORIES, Role

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
        messages = request.messages
        if request.schema is not None:
            text = _extract(messages)
        else:
            from memchat.offline.replies import answer

            system = "\n".join(message.content for message in messages if message.role is Role.SYSTEM)
            said = next((message.content for message in reversed(messages) if message.role is Role.USER), "")
            text = answer(said, system)
        asked = sum(self.count_tokens(message.content) for message in messages)
        return Completion(text, Usage(asked, self.count_tokens(text), 0.0))


def _extract(messages: Sequence[PromptMessage]) -> str:
    """Learn from the latest inputs; only the categories to which the operator's instructions limit it, if they do."""
    from memchat.offline.extraction import learn

    _, _, instructions = next((m.content for m in messages if m.role is Role.SYSTEM), "").partition(_INSTRUCTED)
    wanted: list[str] = []
    if _ONLY.search(instructions):
        wanted = [category for category in CATEGORIES if re.search(rf"(?i)\b{category}s?\b", instructions)]
    for message in reversed(messages):
        if message.role is not Role.USER:
            continue
        try:
            inputs = json.loads(message.content)
        except ValueError:
            continue
        if isinstance(inputs, dict) and inputs.keys() >= {"today", "known", "user"}:
            return learn(inputs, wanted)
    return _NOTHING
