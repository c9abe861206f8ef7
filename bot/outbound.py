"""Where the program itself goes: to servers that the operator named, and nowhere that a channel or a person says.

Texts of people are never fetched. What a channel supplies (the path of a file) is put behind the operator's address and
asked about here before the request; redirects are never followed.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import unquote, urlsplit


def origin(url: str) -> str:
    """``https://api.telegram.org`` of an address there; ``""`` of what has no server."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    standard = port is None or port == (443 if parts.scheme == "https" else 80)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if standard else f":{port}")


def allowed(url: str, hosts: Collection[str]) -> bool:
    """May this address be asked? *hosts*: origins (``https://host[:port]``) that the operator named; scheme, host and
    port must be those of one of them, without a name or password, and the path must not climb."""
    if any(sign.isspace() or not sign.isprintable() for sign in url) or "\\" in url:
        return False
    here = origin(url)
    parts = urlsplit(url) if here else None
    if parts is None or parts.username is not None or parts.password is not None or parts.fragment:
        return False
    if here not in {origin(each) for each in hosts}:
        return False
    path = parts.path
    for _n in range(3):  # %252e%252e too
        path = unquote(path)
    return ".." not in path and "\\" not in path and "\0" not in path
