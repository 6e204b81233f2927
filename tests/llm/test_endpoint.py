"""Keys and addresses as people paste them."""

import pytest

from memchat.errors import ConfigError, CredentialsError
from memchat.llm.endpoint import Endpoint, clean_address, clean_key
from memchat.llm.provider_apis import ollama_base, server_of


@pytest.mark.parametrize(
    "pasted",
    ["sk-abc1", "sk-abc1\n", " sk-abc1\t", "sk-abc1\r\n", '"sk-abc1"', "'sk-abc1' ", "\ufeffsk-abc1", "Bearer sk-abc1"],
)
def test_what_gets_around_a_key_is_taken_off(pasted: str) -> None:
    """White space, line ends, quotes, a byte order mark, the word of the header."""
    assert clean_key(pasted, "X_API_KEY") == "sk-abc1"


@pytest.mark.parametrize(
    ("pasted", "told"), [("sk-ab\u0434", "'\u0434'"), ("sk-a b", "white space"), ("sk\u202eab", "U\\+202E")]
)
def test_a_key_that_no_header_can_hold_is_told_with_where_it_is(pasted: str, told: str) -> None:
    """The character, not the key."""
    with pytest.raises(CredentialsError, match=f"X_API_KEY contains .*{told}") as raised:
        clean_key(pasted, "X_API_KEY")
    assert pasted not in raised.value.message


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://localhost:8080/v1", "http://localhost:8080/v1"),
        ("localhost:8080", "http://localhost:8080"),
        ("192.168.1.7:1234/v1/", "http://192.168.1.7:1234/v1"),
        ("[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("gpu-box/v1", "http://gpu-box/v1"),
        ("api.example.com/v1", "https://api.example.com/v1"),
        ("api.example.com:443", "https://api.example.com:443"),
        (' "https://api.example.com/v1" ', "https://api.example.com/v1"),
        ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1"),
        ("https://api.example.com/v1/models/", "https://api.example.com/v1"),
        ("https://api.example.com/v1/v1", "https://api.example.com/v1"),
        ("https://api.example.com//openai//v1", "https://api.example.com/openai/v1"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("http:// localhost:80 /v1", "http://localhost:80/v1"),
        ("HTTP://Localhost:80", "http://Localhost:80"),
    ],
)
def test_an_address_is_put_right(given: str, meant: str) -> None:
    """Without a scheme, quoted, with spaces, with the route of a request, with the version twice."""
    assert clean_address(given) == meant


@pytest.mark.parametrize("given", ["ftp://x", "http://", "http://h:99999", "http://[::1", "file:///v1", "::"])
def test_what_is_no_address_is_told(given: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match="not the address of a server"):
        clean_address(given)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
        ("http://127.0.0.1:11434/api/chat", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("gpu-box:9999", "http://gpu-box:9999"),
        ("https://ollama.example.com", "https://ollama.example.com"),
    ],
)
def test_ollamas_address_is_that_of_its_own_api(given: str, meant: str) -> None:
    """Also where it was set for its OpenAI-compatible one, or as OLLAMA_HOST has it."""
    assert ollama_base(given) == meant


def test_the_address_comes_from_the_variables_that_others_read() -> None:
    """OpenAI's newer name before the older, as LiteLLM takes them; an empty one is none."""
    endpoint = Endpoint("openai/some")
    env = {"OPENAI_API_BASE": "http://old/v1", "OPENAI_API_KEY": "k"}
    assert server_of(endpoint, env).address == "http://old/v1"
    assert server_of(endpoint, {**env, "OPENAI_BASE_URL": "http://new/v1"}).address == "http://new/v1"
    assert server_of(endpoint, {**env, "OPENAI_BASE_URL": " "}).address == "http://old/v1"
    assert server_of(Endpoint("ollama_chat/x"), {"OLLAMA_HOST": "gpu-box"}).address == "http://gpu-box:11434"


def test_a_key_is_needed_by_the_provider_and_not_by_a_server_of_ones_own() -> None:
    """Local servers have no keys; the hint for the others can be pasted into a shell."""
    assert server_of(Endpoint("openai/some"), {"OPENAI_API_BASE": "localhost:8080"}).key is None
    assert server_of(Endpoint("lm_studio/some"), {}).address == "http://127.0.0.1:1234/v1"
    with pytest.raises(CredentialsError, match="no API key for groq/some") as raised:
        server_of(Endpoint("groq/some"), {"GROQ_API_KEY": " "})
    assert "`export GROQ_API_KEY=…`" in (raised.value.hint or "")
