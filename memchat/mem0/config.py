"""Convert configuration dictionaries for mem0's `Memory.from_config` to memchat's settings.

memchat has its own store, so only the path and the collection of `vector_store` matter: each collection gets its own
folder. Entries without effect are logged. Entries that cannot be honoured raise a ConfigError that names the setting to
use instead.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from memchat.config import Settings, closest_match
from memchat.errors import ConfigError
from memchat.llm.model_choice import PROVIDERS
from memchat.llm.options import ModelOptions
from memchat.paths import expand_path

log = logging.getLogger(__name__)

LLM_PREFIXES = {
    "openai": "openai/",
    "openai_structured": "openai/",
    "anthropic": "anthropic/",
    "ollama": "ollama_chat/",
    "gemini": "gemini/",
    "groq": "groq/",
    "mistral": "mistral/",
    "mistralai": "mistral/",
    "deepseek": "deepseek/",
    "together": "together_ai/",
    "azure_openai": "azure/",
    "azure_openai_structured": "azure/",
    "xai": "xai/",
    "openrouter": "openrouter/",
    "aws_bedrock": "bedrock/",
    "vllm": "hosted_vllm/",
    "lmstudio": "lm_studio/",
    "litellm": "",
}
"""LiteLLM's model prefix for each of mem0's provider names."""

EMBEDDER_PREFIXES = {
    "openai": "openai/",
    "ollama": "ollama/",
    "azure_openai": "azure/",
    "gemini": "gemini/",
    "vertexai": "vertex_ai/",
    "together": "together_ai/",
    "mistral": "mistral/",
    "aws_bedrock": "bedrock/",
    "lmstudio": "lm_studio/",
    "litellm": "",
}
LOCAL_EMBEDDERS = ("huggingface", "fastembed")
BUILT_IN = "all-minilm-l6-v2"
DEFAULT_EMBEDDERS = {"openai": "text-embedding-3-small", "ollama": "nomic-embed-text"}

VECTOR_STORES = tuple(
    "qdrant chroma faiss pgvector milvus pinecone redis valkey weaviate mongodb elasticsearch opensearch supabase "
    "upstash_vector vertex_ai_vector_search azure_ai_search databricks baidu cassandra neptune s3_vectors langchain "
    "azure_mysql".split()
)

USUAL_COLLECTION = "mem0"
"""mem0's default collection, for configurations without a name."""
COLLECTIONS = "collections"
_REMOTE = ("url", "host", "connection_string", "cloud_id", "endpoint", "uri", "cluster_url", "redis_url", "port")

_KEYS = (
    "llm",
    "embedder",
    "vector_store",
    "version",
    "history_db_path",
    "custom_instructions",
    "custom_fact_extraction_prompt",
    "custom_update_memory_prompt",
    "reranker",
)
_ADDRESSES = ("base_url", "api_base", "huggingface_base_url", *(f"{name}_base_url" for name in LLM_PREFIXES))
_MODEL_KEYS = ("model", "api_key", "azure_kwargs", *_ADDRESSES)
_LLM_KEYS = (*_MODEL_KEYS, "temperature", "max_tokens")
_EMBEDDER_KEYS = (*_MODEL_KEYS, "embedding_dims")
_WITHOUT_EFFECT = (
    "top_p",
    "top_k",
    "enable_vision",
    "vision_details",
    "http_client_proxies",
    "models",
    "store",
    "is_reasoning_model",
    "reasoning_effort",
    "response_callback",
    "site_url",
    "app_name",
    "route",
    "model_kwargs",
    "memory_add_embedding_type",
    "memory_update_embedding_type",
    "memory_search_embedding_type",
)


@dataclass(frozen=True, slots=True)
class Mem0Config:
    """A configuration in memchat's terms. With `holds_index`, this process may hold the Chroma index."""

    settings: Settings
    models: Mapping[str, ModelOptions] = field(default_factory=dict)
    holds_index: bool = False


def from_mem0(config: Mapping[str, Any], settings: Settings) -> Mem0Config:
    """Apply `config` to `settings`. Raises ConfigError for entries that are unknown or cannot be honoured."""
    if not isinstance(config, Mapping):
        raise ConfigError(f"The configuration must be a dictionary, not {type(config).__name__}.")
    if config.get("graph_store") or config.get("enable_graph"):
        raise ConfigError(
            "memchat has no graph store.", hint="Leave graph_store out; memchat tracks which memory replaces which."
        )
    for key in config:
        if key not in {*_KEYS, "graph_store", "enable_graph"}:
            hint = "Put memchat's own settings into the environment or config.toml; `memchat config` lists them."
            _unknown(f"The configuration has no key {key!r}.", key, _KEYS, hint)
    changes: dict[str, Any] = {}
    models: dict[str, ModelOptions] = {}
    if (llm := _section(config, "llm")) is not None:
        name, access = _llm(llm)
        changes |= {"model": name, "extraction_model": name}
        models[name] = access
    if (embedder := _section(config, "embedder")) is not None:
        embedding_model, access = _embedder(embedder)
        changes["embedding_model"] = embedding_model
        if embedding_model is not None:
            models[embedding_model] = access
    store = _section(config, "vector_store")
    if store is not None and (home := _home(store, settings.home)) != settings.home:
        changes["home"] = home
    if instructions := config.get("custom_instructions") or config.get("custom_fact_extraction_prompt"):
        changes["instructions"] = str(instructions)
    _note("", [key for key in ("history_db_path", "custom_update_memory_prompt", "reranker") if config.get(key)])
    return Mem0Config(replace(settings, **changes), models, store is not None and store.provider == "chroma")


@dataclass(frozen=True, slots=True)
class _Section:
    """The section `name`: `{"provider": …, "config": {…}}`."""

    name: str
    provider: str
    config: Mapping[str, Any]


def _section(config: Mapping[str, Any], name: str) -> _Section | None:
    value = config.get(name)
    if value is None:
        return None
    if not isinstance(value, Mapping) or not isinstance(value.get("config", {}) or {}, Mapping):
        raise ConfigError(f'{name} must be a dictionary like {{"provider": …, "config": {{…}}}}.')
    for key in value:
        if key not in {"provider", "config"}:
            _unknown(f"{name} has no key {key!r}.", key, ("provider", "config"), 'It has "provider" and "config".')
    if not isinstance((value.get("config") or {}).get("azure_kwargs") or {}, Mapping):
        raise ConfigError(f"{name}: azure_kwargs must be a dictionary.")
    default = "qdrant" if name == "vector_store" else "openai"
    return _Section(name, str(value.get("provider") or default).lower(), value.get("config") or {})


def _llm(section: _Section) -> tuple[str, ModelOptions]:
    if section.provider not in LLM_PREFIXES:
        hint = "Set MEMCHAT_MODEL to any model LiteLLM knows, or use the provider 'litellm' with such a name."
        _unknown(f"Unknown llm provider {section.provider!r}.", section.provider, tuple(LLM_PREFIXES), hint)
    _check_config(section, _LLM_KEYS)
    prefix = LLM_PREFIXES[section.provider]
    named = section.config.get("model") or _deployment(section)
    if named:
        return _with_prefix(prefix, str(named)), _access(section)
    default = next((provider.chat for provider in PROVIDERS if provider.prefix == prefix), None)
    if default is None:
        raise ConfigError(f"llm: {section.provider} needs a model.", hint='Set llm["config"]["model"].')
    return default, _access(section)


def _embedder(section: _Section) -> tuple[str | None, ModelOptions]:
    """Return the embedding model (None for the built-in one) and its options. Raises ConfigError."""
    named = section.config.get("model") or _deployment(section) or DEFAULT_EMBEDDERS.get(section.provider)
    if section.provider in LOCAL_EMBEDDERS:
        _check_config(section, (*_EMBEDDER_KEYS, "cache_dir"))
        access = _access(section)
        if access.api_base and named:
            return _with_prefix("huggingface/", str(named)), access
        if named is None or BUILT_IN in str(named).lower():
            return None, access
        raise ConfigError(
            f"memchat cannot run the embedding model {named!r} in this process; its built-in one is {BUILT_IN}.",
            hint="Leave embedder out to use that, or set MEMCHAT_EMBEDDING_MODEL to a model on a server (ollama/…).",
        )
    if section.provider not in EMBEDDER_PREFIXES:
        known = (*EMBEDDER_PREFIXES, *LOCAL_EMBEDDERS)
        hint = "Set MEMCHAT_EMBEDDING_MODEL to any embedding model LiteLLM knows, or leave it out for the built-in one."
        _unknown(f"Unknown embedder provider {section.provider!r}.", section.provider, known, hint)
    _check_config(section, _EMBEDDER_KEYS)
    if not named:
        raise ConfigError(f"embedder: {section.provider} needs a model.", hint='Set embedder["config"]["model"].')
    return _with_prefix(EMBEDDER_PREFIXES[section.provider], str(named)), _access(section)


def _home(section: _Section, default: Path) -> Path:
    """Return the data folder: the configured or the default one, with a subfolder for a named collection."""
    if section.provider not in VECTOR_STORES:
        hint = "memchat has its own store; leave vector_store out, or set MEMCHAT_HOME to move the store."
        _unknown(f"Unknown vector store {section.provider!r}.", section.provider, VECTOR_STORES, hint)
    config = section.config
    _note("vector_store.config.", [key for key in config if key not in {"path", "collection_name", *_REMOTE}])
    path = config.get("path")
    home = expand_path(str(path), "vector_store.config.path") if path else default
    collection = str(config.get("collection_name") or USUAL_COLLECTION)
    if collection != USUAL_COLLECTION:
        # Quoting keeps every name within the folder, and different names apart.
        home = home / COLLECTIONS / quote(collection, safe=" ").replace(".", "%2E")
    if remote := [key for key in _REMOTE if config.get(key)]:
        names = ", ".join(f"vector_store.config.{key}" for key in remote)
        log.warning("memchat stores memories in %s and ignores: %s", home, names)
    return home


def _access(section: _Section) -> ModelOptions:
    config = section.config
    azure = config.get("azure_kwargs") or {}
    if azure.get("api_version"):
        raise ConfigError(
            f"{section.name}: memchat reads Azure's API version from the environment.", hint="Set AZURE_API_VERSION."
        )
    try:
        return ModelOptions(
            api_key=_text(config.get("api_key") or azure.get("api_key")),
            api_base=_text(next((config[k] for k in _ADDRESSES if config.get(k)), None) or azure.get("azure_endpoint")),
            temperature=None if config.get("temperature") is None else float(config["temperature"]),
            max_tokens=None if config.get("max_tokens") is None else int(config["max_tokens"]),
            dimension=None if config.get("embedding_dims") is None else int(config["embedding_dims"]),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{section.name}: a number was expected: {error}.") from error


def _deployment(section: _Section) -> object:
    return (section.config.get("azure_kwargs") or {}).get("azure_deployment")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _with_prefix(prefix: str, name: str) -> str:
    return name if name.startswith(prefix) else prefix + name


def _check_config(section: _Section, known: tuple[str, ...]) -> None:
    for key in section.config:
        if key not in known and key not in _WITHOUT_EFFECT:
            place = f"{section.name}.config"
            _unknown(f"{place} has no key {key!r}.", key, known, f"{place} may have {', '.join(known[:3])}, …")
    _note(f"{section.name}.config.", [key for key in section.config if key in _WITHOUT_EFFECT])


def _note(place: str, keys: list[str]) -> None:
    if keys:
        log.info("memchat ignores: %s", ", ".join(f"{place}{key}" for key in keys))


def _unknown(message: str, word: str, known: tuple[str, ...], hint: str) -> None:
    guess = closest_match(str(word), known)
    raise ConfigError(message, hint=f"Did you mean {guess!r}? {hint}" if guess else hint)
