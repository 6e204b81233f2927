"""A model with its key and address; pasted keys and addresses are cleaned."""

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from memchat.errors import ConfigError, CredentialsError

_AROUND = " \t\r\n\v\f\"'`\u00a0\u200b\u200c\u200d\u2018\u2019\u201c\u201d\u2060\ufeff"
"""Characters around a pasted value: white space, quotes, invisible marks."""
_ROUTE = re.compile(r"/(?:chat/completions|completions|responses|embeddings|models|api/(?:chat|generate|tags))$")
_DOUBLED_VERSION = re.compile(r"(/v\d+)(?:\1)+$")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model with its key and address; `api_key` and `api_base` are None if the environment has them.

    `timeout_s` bounds the wait for the first byte and between two pieces of a reply, not the whole.
    """

    model: str
    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None
    timeout_s: float = 60.0
    embeds: bool = False

    @property
    def another(self) -> str:
        """The end of a hint: how to choose another model."""
        if self.embeds:
            return "set another embedding model with MEMCHAT_EMBEDDING_MODEL"
        return "pick another model with --model; `memchat models` lists them"

    @property
    def provider(self) -> str:
        """The part of the name before its first slash; a bare name stands for itself."""
        return self.model.partition("/")[0]

    @property
    def is_ollama(self) -> bool:
        return self.provider in {"ollama", "ollama_chat"}


def strip_pasted(text: str) -> str:
    """Strip whitespace, quotes and invisible characters from both ends of `text`."""
    return text.strip(_AROUND)


def clean_key(text: str, source: str) -> str:
    """Clean a key for use in a header. Raises CredentialsError, naming `source`, if no header can hold it."""
    key = strip_pasted(text)
    if key[:7].lower() == "bearer ":
        key = strip_pasted(key[7:])
    if wrong := next((char for char in key if not "!" <= char <= "~"), None):
        printable = f"{wrong!r}" if wrong.isprintable() else f"the character U+{ord(wrong):04X}"
        shown = "white space" if wrong.isspace() else printable
        raise CredentialsError(
            f"The API key in {source} contains {shown}, which no key does.",
            hint="Copy the key again, without anything around it.",
        )
    return key


def clean_address(text: str) -> str:
    """Clean a server's address: add the scheme, and remove the route of a single request and slashes at the end.

    Raises ConfigError for what is no HTTP address.
    """
    pasted = re.sub(r"\s+", "", strip_pasted(text))
    given = pasted if "://" in pasted else f"{_scheme(pasted)}://{pasted.lstrip('/')}"
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    if not host or parts.scheme.lower() not in {"http", "https"} or port == 0:
        raise ConfigError(f"{pasted!r} is not the address of a server.", hint="As in http://127.0.0.1:8080/v1")
    path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    path = _DOUBLED_VERSION.sub(r"\1", _ROUTE.sub("", path).rstrip("/"))
    # Servers listen at these addresses for all interfaces; they are reached at this machine's.
    netloc = re.sub(r"^0\.0\.0\.0(?=:|$)", "127.0.0.1", parts.netloc).replace("[::]", "[::1]")
    return f"{parts.scheme.lower()}://{netloc}{path}"


def is_loopback(host: str) -> bool:
    """Return whether `host`, a name or an address without brackets, is this machine."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _scheme(address: str) -> str:
    """Return the scheme of an address without one: plain HTTP for a nearby machine or an address with a port."""
    host, _, port = address.lstrip("/").partition("/")[0].rpartition(":")
    if host and port.isdigit():
        return "https" if port == "443" else "http"
    name = address.lstrip("/").partition("/")[0]
    try:
        return "http" if ip_address(name.strip("[]")).is_private else "https"
    except ValueError:
        return "https" if "." in name and not name.endswith((".local", ".internal", ".lan")) else "http"
