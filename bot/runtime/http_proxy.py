"""Through which proxy an address is reached: one rule for everything that speaks HTTP.

slack_sdk takes HTTPS_PROXY for every address and never heard of NO_PROXY, aiohttp takes none unless told to;
told to, it takes passwords from ~/.netrc too. So each request is told by this.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

_PROXY_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}


def proxy_for(url: str) -> str | None:
    """The proxy's URL, as HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say; None where there is none.

    HTTPS_PROXY is for https and wss, HTTP_PROXY for http and ws, in capitals or not.
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
