"""The proxy of an HTTP request: one rule for every client.

slack_sdk uses HTTPS_PROXY for every address and ignores NO_PROXY. aiohttp uses no proxy unless `trust_env` is
set, and then also reads passwords from ~/.netrc. Therefore each request gets its proxy from here.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

_PROXY_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}


def proxy_for(url: str) -> str | None:
    """Return the proxy's URL by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; None without a proxy.

    HTTPS_PROXY is for https and wss, HTTP_PROXY for http and ws; lower-case names work too.
    """
    parts = urlsplit(url)
    proxies = getproxies_environment()
    scheme = _PROXY_SCHEMES.get(parts.scheme)
    proxy = proxies.get(scheme or "") or proxies.get("all")
    if scheme is None or not proxy or not parts.hostname:
        return None
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
