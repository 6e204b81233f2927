"""Open the model of a name: over HTTP if its provider's API is known, otherwise through LiteLLM."""

import os
from typing import TYPE_CHECKING

from memchat.llm.chat_model import CallPolicy, ChatModel
from memchat.llm.dialect import DialectMemory
from memchat.llm.endpoint import Endpoint
from memchat.llm.model_table import ModelTable
from memchat.llm.ollama_transport import OllamaTransport
from memchat.llm.openai_transport import OpenAITransport
from memchat.llm.options import ModelOptions
from memchat.llm.provider_apis import has_own_address, is_direct
from memchat.llm.transport import Transport

if TYPE_CHECKING:
    from memchat.core.protocols import CompletionModel


class Models:
    """The models of one process, which share what is known of their servers."""

    def __init__(self, policy: CallPolicy, dialects: DialectMemory | None = None) -> None:
        self._policy = policy
        self._dialects = dialects or DialectMemory()
        self._table = ModelTable()

    def open(self, name: str, options: ModelOptions | None = None) -> ChatModel:
        """Create a model; it loads nothing and sends nothing before its first use."""
        options = options or ModelOptions()
        endpoint = self._endpoint(name, options)
        if self.needs_litellm(endpoint.model, options):
            from memchat.llm.litellm_transport import LiteLLMTransport

            transport: Transport = LiteLLMTransport(endpoint)
        elif endpoint.is_ollama:
            transport = OllamaTransport(endpoint, self._policy.context_tokens)
        else:
            transport = OpenAITransport(endpoint, self._table)
        return ChatModel(endpoint, transport, options, self._policy, self._dialects)

    def open_completions(self, name: str, options: ModelOptions | None = None) -> "CompletionModel":
        """Create the same model with OpenAI's request and response formats."""
        from memchat.llm.completions import LiteLLMCompletions
        from memchat.llm.retry import RetryPolicy

        retry = RetryPolicy(self._policy.retries, self._policy.on_retry)
        return LiteLLMCompletions(self._endpoint(name, options or ModelOptions()), retry)

    def _endpoint(self, name: str, options: ModelOptions) -> Endpoint:
        return Endpoint(name, options.api_key, options.api_base, self._policy.timeout_s)

    def needs_litellm(self, name: str, options: ModelOptions | None = None) -> bool:
        """Return whether the first call imports LiteLLM: some of OpenAI's models use another API than chats."""
        if not is_direct(name):
            return True
        own = bool(options and options.api_base) or has_own_address(name, os.environ)
        return not own and not self._table.speaks_chat(name)
