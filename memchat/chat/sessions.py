"""Open a conversation (new, named, or the last one) and choose its options."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memchat.config import MemoryMode, Settings
from memchat.core.names import composed
from memchat.core.types import LearningOptions, Metadata, Session
from memchat.errors import UsageError

if TYPE_CHECKING:
    from memchat.chat.conversation import ConversationOptions
    from memchat.storage.protocols import Conversations


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Options of a conversation. `session` is a session, a name, or an id or its beginning.

    `continue_last` resumes the last one, with `agent` the last one with that agent. A new one without `agent` uses the
    agent of the settings.
    """

    user: str
    agent: str | None = None
    session: str | Session | None = None
    continue_last: bool = False
    model: str | None = None
    top_k: int | None = None
    system: str | None = None
    instructions: str | None = None
    metadata: Metadata = field(default_factory=dict)
    infer: bool = True

    def __post_init__(self) -> None:
        for name in ("user", "agent"):
            object.__setattr__(self, name, composed(getattr(self, name)))
        if isinstance(self.session, str):
            object.__setattr__(self, "session", composed(self.session))


def open_session(options: ChatOptions, conversations: "Conversations", settings: Settings) -> Session:
    """Return the conversation that `options` name, or a new one. Raises UsageError if it has another agent."""
    if isinstance(options.session, Session):
        return options.session
    if options.session and options.continue_last:
        raise UsageError("Give --session or --continue, not both.")
    user, name = options.user, options.session
    former = conversations.named_session(name, user) if name else None
    if options.continue_last:
        former = conversations.latest_session(user, options.agent)
    if former is not None:
        if options.agent not in {None, former.agent}:
            whom = f"the agent {former.agent!r}" if former.agent else "no agent"
            hint = "Leave --agent out, or begin another conversation."
            raise UsageError(f"The conversation {former.id} is with {whom}.", hint=hint)
        return former
    if name and settings.redact:
        from memchat.text.redaction import redact

        # Masked, two names could become the same.
        if kinds := redact(name).kinds:
            raise UsageError(
                f"A conversation's name is stored as it is, and this one looks like a secret ({kinds[0]}).",
                hint="Choose another --session. MEMCHAT_REDACT=off turns this off.",
            )
    return conversations.new_session(
        user,
        options.agent or settings.agent,
        private=settings.memory is MemoryMode.PRIVATE,
        name=conversations.name_for(name, user) if name else None,
    )


def conversation_options(options: ChatOptions, settings: Settings, agent: str | None) -> "ConversationOptions":
    """Return the options of a conversation with `agent`: from `options`, else its profile, else the settings."""
    from memchat.chat.conversation import ConversationOptions

    profile = settings.profile(agent)
    return ConversationOptions(
        system=options.system or (profile.system if profile else None) or settings.system,
        terms=LearningOptions(
            options.instructions or (profile.instructions if profile else None) or settings.instructions,
            options.metadata,
            infer=options.infer,
        ),
        private=settings.memory is MemoryMode.PRIVATE,
        redacts=settings.redact,
    )
