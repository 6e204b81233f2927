"""Proxies as other programs read them."""

import os

import pytest

from memchat.errors import ConfigError
from memchat.llm.http_proxy import make_environment_readable, proxy_for

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        # Set before they are taken away, so that what a test sets is taken away, too.
        for spelled in (name, name.upper()):
            monkeypatch.setenv(spelled, "")
            monkeypatch.delenv(spelled)


@pytest.mark.parametrize(
    ("variable", "given", "proxy"),
    [
        ("HTTPS_PROXY", "http://proxy:3128", "http://proxy:3128"),
        ("https_proxy", "proxy:3128", "http://proxy:3128"),
        ("ALL_PROXY", "socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080"),
        ("all_proxy", "socks://127.0.0.1:1080", "socks5://127.0.0.1:1080"),
        ("HTTPS_PROXY", " 'http://user:pw@proxy:3128' ", "http://user:pw@proxy:3128"),
        ("HTTP_PROXY", "http://proxy:3128", None),
    ],
)
def test_a_proxy_is_found_in_the_variables(
    monkeypatch: pytest.MonkeyPatch, variable: str, given: str, proxy: str | None
) -> None:
    """In either case, without a scheme, with SOCKS under its short name, quoted; each for its own scheme."""
    monkeypatch.setenv(variable, given)
    assert proxy_for("https://api.example.com/v1") == proxy


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:11434", "http://localhost:8080/v1", "http://[::1]:1/", "http://127.9.9.9"]
)
def test_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Whatever the variables say."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy:1")
    assert proxy_for(url) is None


@pytest.mark.parametrize(
    ("entries", "direct"),
    [
        ("10.0.0.0/8", "https://10.1.2.3/v1"),
        ("fe80::/10, 2001:db8::/32", "https://[2001:db8::1]/v1"),
        ("[2001:db8::1]", "https://[2001:db8::1]/v1"),
        ("2001:db8::1", "https://[2001:db8::1]:8080/v1"),
        ("[2001:db8::1]:8080", "https://[2001:db8::1]:8080/v1"),
        (".example.com", "https://api.example.com/v1"),
        ("*.example.com", "https://api.example.com/v1"),
        ("other,example.com", "https://api.example.com/v1"),
        ("api.example.com:8080", "https://api.example.com:8080/v1"),
        ("*", "https://api.example.com/v1"),
    ],
)
def test_exceptions_may_be_domains_ports_and_ranges(monkeypatch: pytest.MonkeyPatch, entries: str, direct: str) -> None:
    """IPv6 with brackets and without; what is not named still goes through the proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("NO_PROXY", entries)
    assert proxy_for(direct) is None
    if entries != "*":
        assert proxy_for("https://myexample.com:9/v1") == "http://proxy:1"


@pytest.mark.parametrize("given", ["http://", "ftp://proxy:1", "http://[::1", "http://proxy:99999"])
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Before the HTTP library fails on it with a traceback."""
    monkeypatch.setenv("HTTPS_PROXY", given)
    with pytest.raises(ConfigError, match="proxy in HTTPS_PROXY cannot be used"):
        proxy_for("https://api.example.com/v1")


def test_the_http_library_of_litellm_can_read_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses brackets, ranges of IPv6 addresses and the short name of SOCKS."""
    import httpx

    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", "[2001:db8::1],fe80::/10,.example.com")
    make_environment_readable()
    assert os.environ["ALL_PROXY"] == "socks5://127.0.0.1:1080"
    assert {"2001:db8::1", ".example.com", "127.0.0.1"} <= set(os.environ["NO_PROXY"].split(","))
    httpx.Client().close()
