"""One tree of errors. What a person can act on is a `MemchatError`; anything else is a bug and keeps its traceback.

MemchatError                 exit 1
├── UsageError               exit 2   what was typed or configured does not make sense; also a ValueError
│   ├── ConfigError
│   └── Conflict                      what is stored already does not go with it
├── NotFound                 exit 1   no such memory, session, person; also a LookupError and a ValueError
│   └── AmbiguousId
├── ModelError               exit 4   the model or the way to it
│   ├── CredentialsError     exit 3   missing or rejected key
│   ├── ModelNotFound
│   ├── ModelUnreachable
│   │   └── ModelLoading
│   ├── ModelTimeout
│   ├── RateLimited
│   ├── ContextOverflow
│   └── BadReply             the reply cannot be used (cut off, empty, not what was asked for)
└── StoreError               exit 1   the database or the disk under it
    ├── StoreTooNew
    └── StoreBusy
"""

from typing import ClassVar


class MemchatError(Exception):
    """An expected failure: one sentence that says what happened, and a hint that says what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MemchatError, ValueError):
    """A command, option or call that does not make sense as given."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting with an unknown name or a value that cannot be used."""


class Conflict(UsageError):
    """A call that contradicts what is stored, as a run that belongs to another agent."""


class NotFound(MemchatError, LookupError, ValueError):
    """No record under the given id."""


class AmbiguousId(NotFound):
    """An id prefix that several records share."""


class ModelError(MemchatError):
    """The model, or the way to it, failed. `retry_after_s` is what the provider asked for, where it did."""

    exit_code = 4

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class CredentialsError(ModelError):
    """The key is missing or was rejected."""

    exit_code = 3


class ModelNotFound(ModelError):
    """The provider does not know a model of that name."""


class ModelUnreachable(ModelError):
    """No connection, or the provider failed (5xx): trying again may help."""


class ModelLoading(ModelUnreachable):
    """The server is up, and still loads the model into memory."""


class ModelTimeout(ModelError):
    """Nothing arrived within the time limit."""


class RateLimited(ModelError):
    """The provider refuses for now (429)."""


class ContextOverflow(ModelError):
    """The prompt is longer than the model's context window."""


class BadReply(ModelError):
    """A reply that cannot be used: cut off, empty, or not in the form that was asked for."""


class StoreError(MemchatError):
    """The database cannot be read or written."""


class StoreTooNew(StoreError):
    """The database was written by a newer memchat."""


class StoreBusy(StoreError):
    """Another process held the database for too long."""


def traceback_without_message(error: BaseException) -> str:
    """Format a bug's type and traceback for the log, without its message, which may contain what people wrote."""
    import traceback

    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"
