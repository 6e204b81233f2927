"""Find the proxy for a server. HTTP libraries refuse settings that other programs accept, so they are read here."""

import os
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from memchat.errors import ConfigError
from memchat.llm.endpoint import is_loopback, strip_pasted

_SCHEMES = {"http", "https", "socks5", "socks5h"}
_WITH_PORT = re.compile(r"\[?(?P<host>[^:\]]+|(?<=\[)[^\]]+)\]?:(?P<port>\d{1,5})")
_ALIASES = {"socks": "socks5", "socks4a": "socks5h", "socks4": "socks5"}


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment or the system sets for `url`; None if it is reached directly.

    This machine always is. Raises ConfigError for a proxy that cannot be used.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    name = host.lower().rstrip(".")
    if is_loopback(host) or any(_matches(entry, name, parts.port) for entry in _exceptions()) or proxy_bypass(host):
        return None
    proxies = getproxies()
    kind = parts.scheme if proxies.get(parts.scheme) else "all"
    given = strip_pasted(proxies.get(kind, ""))
    return _usable(given, kind) if given else None


def make_environment_readable() -> None:
    """Rewrite the proxy settings of this process so that httpx, which LiteLLM uses, can read them; loopback is direct.

    httpx raises for the forms `[::1]`, `fe80::/10` and `socks://…`.
    """
    for variable in [name for name in os.environ if re.fullmatch(r"(?i)(https?|all)_proxy", name)]:
        value = strip_pasted(os.environ[variable])
        os.environ[variable] = _usable(value, variable.lower().removesuffix("_proxy")) if value else ""
    if any(getproxies().get(name) for name in ("http", "https", "all")):
        entries = [entry for entry in _exceptions() if "/" not in entry or "." in entry]
        entries += [name for name in ("localhost", "127.0.0.1", "::1") if name not in entries]
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(entries)


def _usable(given: str, name: str) -> str:
    proxy = given if "://" in given else f"http://{given}"
    scheme, _, rest = proxy.partition("://")
    scheme = _ALIASES.get(scheme.lower(), scheme.lower())
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        usable = scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"The proxy in {name.upper()}_PROXY cannot be used.",
            hint="As in http://proxy.example:3128 or socks5://127.0.0.1:1080; or unset it.",
        )
    return f"{scheme}://{rest}"


def _exceptions() -> Iterator[str]:
    """Return the entries of NO_PROXY, with IPv6 addresses without brackets."""
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    for entry in re.split(r"[,;\s]+", strip_pasted(given)):
        bare = strip_pasted(entry).lower().partition("://")[2] or strip_pasted(entry).lower()
        if bare:
            yield re.sub(r"^\[(.*)\]$", r"\1", bare)


def _matches(entry: str, name: str, port: int | None) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(name) in ip_network(entry, strict=False)
    except ValueError:
        pass
    if with_port := _WITH_PORT.fullmatch(entry):
        return int(with_port["port"]) == port and _matches(with_port["host"], name, port)
    domain = entry.removeprefix("*").lstrip(".")
    return name == domain or name.endswith(f".{domain}")
