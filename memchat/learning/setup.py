"""Build the contexts of learning from the settings: agents' policies, the prompt's form, classifiers of sentences."""

from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING

from memchat.config import Settings
from memchat.core.protocols import LanguageModel
from memchat.llm.embedders import EmbedderProvider
from memchat.llm.options import ModelOptions

if TYPE_CHECKING:
    from memchat.learning.forms import FormPolicy
    from memchat.learning.lasting import LastingSentences
    from memchat.learning.pipeline import AgentPolicy, LearningContext
    from memchat.learning.sentence_kinds import SentenceKinds
    from memchat.recall.retriever import Retriever
    from memchat.storage.protocols import Storage


class LearningSetup:
    """The parts of learning that the threads of a process share, created when first needed."""

    def __init__(self, settings: Settings, embedders: EmbedderProvider, access: Mapping[str, ModelOptions]) -> None:
        self._settings = settings
        self._embedders = embedders
        self._access = access

    def context(
        self, store: "Storage", model: LanguageModel, rules: LanguageModel, recall: "Retriever"
    ) -> "LearningContext":
        """Create the context of one thread; `rules` is the offline model, which complements a small one."""
        from memchat.learning.pipeline import LearningContext

        return LearningContext(
            store,
            model,
            self._embedders.embedder,
            recall,
            self.agent_policy,
            self._settings.any_excerpts,
            self.form_policy,
            self.sentence_kinds,
            rules,
            self.lasting_sentences,
        )

    def agent_policy(self, name: str | None) -> "AgentPolicy":
        """Return what the profile of the agent `name` says about learning."""
        from memchat.learning.pipeline import AgentPolicy
        from memchat.text.redaction import redact_pairs

        profile = self._settings.profile(name)
        if profile is None:
            return AgentPolicy()
        metadata = redact_pairs(profile.metadata) if self._settings.redact else profile.metadata
        return AgentPolicy(profile.instructions, profile.categories, metadata, profile.learn)

    @cached_property
    def form_policy(self) -> "FormPolicy":
        """Chooses the form of the extraction prompt. A server is asked for the size of its model once."""
        from memchat.learning.forms import FormPolicy
        from memchat.llm.model_size import parameters_of

        # A reference to `self` here would keep a closed application, and its embedder, in memory.
        access = self._access

        @cache
        def parameters(model: str) -> float | None:
            return parameters_of(model, options=access.get(model))

        return FormPolicy(self._settings.extraction_form, parameters)

    @cached_property
    def sentence_kinds(self) -> "SentenceKinds":
        from memchat.learning.sentence_kinds import SentenceKinds

        return SentenceKinds(self._embedders.patient_query_embedder.embed)

    @cached_property
    def lasting_sentences(self) -> "LastingSentences":
        """The classifier, over the built-in embedder even if another is set, since its weights were fitted to it."""
        from memchat.learning.lasting import LastingSentences

        return LastingSentences(self._embedders.builtin.embed)
