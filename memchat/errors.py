"""All errors, each with its exit code.

A user can act on a `MemchatError`; any other exception is a bug and keeps its traceback.

MemchatError                 exit 1
├── UsageError               exit 2   an invalid command line, call or setting; also a ValueError
│   ├── ConfigError
│   └── Conflict                      contradicts itself, or what is stored already
├── NotFound                 exit 1   no such memory, conversation or user; also a LookupError and a ValueError
│   └── AmbiguousId
├── ModelError               exit 4   the model, or the connection to it, failed
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
    """An expected failure: `message` says what happened in one sentence, `hint` what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MemchatError, ValueError):
    """A command, option or call with invalid arguments."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting with an unknown name or a value that cannot be used."""


class Conflict(UsageError):
    """A call that contradicts itself, or what is stored, as a run that belongs to another agent."""


class NotFound(MemchatError, LookupError, ValueError):
    """No record under the given id."""


class AmbiguousId(NotFound):
    """An id prefix that several records share."""


class ModelError(MemchatError):
    """The model, or the connection to it, failed. `retry_after_s` is the wait the provider asked for, if any."""

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
    """There is no connection, or the provider failed (5xx). Trying again may help."""


class ModelLoading(ModelUnreachable):
    """The server is still loading the model into memory."""


class ModelTimeout(ModelError):
    """Nothing arrived within the time limit."""


class RateLimited(ModelError):
    """The provider's rate limit is reached (429)."""


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
