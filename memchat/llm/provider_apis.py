"""The table of providers whose API is OpenAI's or Ollama's, which are called over HTTP without loading LiteLLM."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from memchat.errors import ConfigError, CredentialsError
from memchat.llm.endpoint import Endpoint, clean_address, clean_key, strip_pasted


@dataclass(frozen=True, slots=True)
class Api:
    """A provider's API. `stem` begins the names of its variables, as in OPENAI_API_KEY; `local` ones need no key."""

    stem: str
    address: str
    local: bool = False

    @property
    def key_variable(self) -> str:
        return f"{self.stem}_API_KEY"


@dataclass(frozen=True, slots=True)
class Server:
    """The server of a request. `own` says that the address is the user's and not the provider's."""

    address: str
    model: str
    """The model's name without the provider."""
    key: str | None = field(default=None, repr=False)
    own: bool = False
    local: bool = False


OLLAMA_PORT = 11434
OLLAMA_URL = f"http://127.0.0.1:{OLLAMA_PORT}"
_OLLAMA = Api("OLLAMA", OLLAMA_URL, local=True)

APIS = {
    "openai": Api("OPENAI", "https://api.openai.com/v1"),
    "mistral": Api("MISTRAL", "https://api.mistral.ai/v1"),
    "groq": Api("GROQ", "https://api.groq.com/openai/v1"),
    "openrouter": Api("OPENROUTER", "https://openrouter.ai/api/v1"),
    "deepseek": Api("DEEPSEEK", "https://api.deepseek.com/v1"),
    "xai": Api("XAI", "https://api.x.ai/v1"),
    "lm_studio": Api("LM_STUDIO", "http://127.0.0.1:1234/v1", local=True),
    "llamafile": Api("LLAMAFILE", "http://127.0.0.1:8080/v1", local=True),
    "hosted_vllm": Api("HOSTED_VLLM", "http://127.0.0.1:8000/v1", local=True),
    "ollama": _OLLAMA,
    "ollama_chat": _OLLAMA,
}


def is_direct(model: str) -> bool:
    """Return whether `model` belongs to one of these providers."""
    provider, slash, rest = model.partition("/")
    return provider in APIS and bool(slash and rest) and not rest.startswith("responses/")


def own_address(api: Api, env: Mapping[str, str]) -> str | None:
    """Return the user's own address, from the variables that LiteLLM and OpenAI's client read, in their order."""
    names = [f"{api.stem}_BASE_URL", f"{api.stem}_API_BASE"]
    if api is _OLLAMA:
        names = ["OLLAMA_API_BASE", "OLLAMA_BASE_URL", "OLLAMA_HOST"]
    return next((given for name in names if (given := strip_pasted(env.get(name, "")))), None)


def ollama_base(given: str) -> str:
    """Return the address of Ollama's own API. A host alone, as in OLLAMA_HOST, gets Ollama's port."""
    address = clean_address(given).removesuffix("/v1").removesuffix("/api")
    without_port = "://" not in given and urlsplit(address).port is None
    return f"{address}:{OLLAMA_PORT}" if without_port and address.count("/") == 2 else address


def has_own_address(model: str, env: Mapping[str, str]) -> bool:
    """Return whether the environment names a server of the user's own in place of the provider's."""
    return own_address(APIS[model.partition("/")[0]], env) is not None


def server_of(endpoint: Endpoint, env: Mapping[str, str]) -> Server:
    """Return the server of `endpoint`: by its own address, else the environment's, else the provider's.

    Raises CredentialsError if a provider needs a key and there is none, ConfigError for a bad address.
    """
    api = APIS[endpoint.provider]
    given = endpoint.api_base or own_address(api, env)
    try:
        address = clean_address(given or api.address)
    except ConfigError as error:
        raise ConfigError(f"{endpoint.model}: {error.message}", hint=error.hint) from error
    if api is _OLLAMA:
        address = ollama_base(given or api.address)
    if endpoint.api_key is not None:
        key = clean_key(endpoint.api_key, f"the options of {endpoint.model}") or None
    else:
        key = clean_key(env.get(api.key_variable, ""), api.key_variable) or None
    if key is None and not given and not api.local:
        raise missing_key(endpoint, api.key_variable)
    model = endpoint.model.partition("/")[2]
    return Server(address, model, key, own=bool(given), local=api.local)


def resolve_endpoint(endpoint: Endpoint, env: Mapping[str, str]) -> Endpoint:
    """Return `endpoint` with the key and address that LiteLLM needs, if its provider is one of `APIS`."""
    if not is_direct(endpoint.model):
        return endpoint
    server = server_of(endpoint, env)
    if not server.own:
        return replace(endpoint, api_key=server.key)
    versioned = server.address if endpoint.is_ollama or server.address.count("/") > 2 else f"{server.address}/v1"
    # OpenAI's client, which LiteLLM uses, refuses to go without a key.
    return replace(endpoint, api_key=server.key or "none", api_base=versioned)


def missing_key(endpoint: Endpoint, variable: str) -> CredentialsError:
    return CredentialsError(
        f"There is no API key for {endpoint.model}.", hint=f"`export {variable}=…`, or {endpoint.another}."
    )
