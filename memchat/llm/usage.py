"""Count the tokens of calls: as the provider reports them, else by an estimate."""

from collections.abc import Generator, Iterable
from contextlib import closing

from memchat.core.protocols import Completion, Delta, LanguageModel, ModelRequest, Spent, Usage
from memchat.core.types import OFFLINE
from memchat.text.size import BYTES_A_TOKEN, size


def spent(usage: Usage | None, prompt: Iterable[str], completion: str) -> Spent:
    """Return the tokens of one call, estimated from the texts of its `prompt` and of its answer without `usage`."""
    if usage is not None:
        return Spent(usage.prompt_tokens, usage.completion_tokens)
    return Spent(sum(map(size, prompt)) // BYTES_A_TOKEN, -(-size(completion) // BYTES_A_TOKEN), estimated=1)


def spent_on_reply(model: str, usage: Usage | None, prompt: Iterable[str], reply: str) -> Spent | None:
    """Return the tokens of a call; None if the model did not answer, and for the offline one, which needs none."""
    return None if model == OFFLINE or not (reply or usage) else spent(usage, prompt, reply)


class MeteredModel:
    """Implements `core.protocols.LanguageModel` by another one, and adds up the tokens of the calls that succeed."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._calls: list[Spent] = []

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def context_tokens(self) -> int:
        return self._model.context_tokens

    def count_tokens(self, text: str) -> int:
        return self._model.count_tokens(text)

    def stream(self, request: ModelRequest) -> Generator[Delta, None, None]:
        usage, answer = None, ""
        with closing(self._model.stream(request)) as deltas:
            for delta in deltas:
                usage, answer = delta.usage or usage, answer + delta.thinking + delta.text
                yield delta
        self._note(request, usage, answer)

    def complete(self, request: ModelRequest) -> Completion:
        completion = self._model.complete(request)
        self._note(request, completion.usage, completion.thinking + completion.text)
        return completion

    @property
    def spent(self) -> Spent | None:
        """The tokens of all calls so far; None if there were none, or for the offline model, which uses none."""
        if not self._calls or self.name == OFFLINE:
            return None
        return Spent(
            sum(call.prompt_tokens for call in self._calls),
            sum(call.completion_tokens for call in self._calls),
            len(self._calls),
            sum(call.estimated for call in self._calls),
        )

    def _note(self, request: ModelRequest, usage: Usage | None, answer: str) -> None:
        self._calls.append(spent(usage, (message.content for message in request.messages), answer))
