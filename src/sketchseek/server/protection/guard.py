"""Who may talk to the server: its own page, and scripts of whoever started it.

A page of somebody else in the same browser must not: its requests carry a foreign Host (DNS rebinding), a foreign
Origin, or the browser's own word in Sec-Fetch-Site.
"""

import hashlib
import hmac
import ipaddress
import logging
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.server.errors import told

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SHORTEST_TOKEN = 16
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
# A form that asks with GET: under no-referrer, browsers send a form's POST without saying where it comes from.
LOGIN = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>sketchseek</title>
<h1>sketchseek</h1>
<p>{sentence}</p>
<form action="/">
<label>Token <input name="token" type="password" autofocus required></label>
<button>Open</button>
</form>
</html>
"""


def allowed_hosts(host: str) -> frozenset[str] | None:
    """The names a client may call the server by; None: any address in numbers, and the machine's own names.

    Names in numbers are safe: rebinding needs a name that somebody else's DNS answers for.
    """
    if host in LOOPBACK or _is_loopback(host):
        return LOOPBACK | {host}
    return None


class Guard:
    """ASGI middleware around everything: checks requests, adds the headers, turns a bug into a plain 500."""

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self.app, self.host, self.token = app, host.lower(), token
        self.hosts = allowed_hosts(self.host)
        if token:
            self.cookie = "sketchseek_" + _derived(token, "name")[:8]  # ports of one host share their cookies
            self.secret = _derived(token, "cookie")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith("/api/") else "no-cache")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        try:
            await self.app(scope, receive, with_headers)
        except Exception:
            log.exception("a request failed: %s %r", scope["method"], scope["path"])
            if started:
                raise
            sentence = "something went wrong inside the server; its output says what."
            await told(500, sentence)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(name := _name(hosts[0])):
            shown = name if len(hosts) == 1 else "no or several names"
            return told(403, f"this server is not called {shown[:100]!r}; use the address it printed.")
        if _is_foreign(scope, headers, hosts[0]):
            return told(403, "requests from other sites are refused.")
        return self._login(scope, headers) if self.token else None

    def _is_ours(self, name: str) -> bool:
        if self.hosts is not None:
            return name in self.hosts
        machine = socket.gethostname().lower()
        return name in LOOPBACK or name in (self.host, machine, f"{machine}.local") or _is_number(name)

    def _login(self, scope: Scope, headers: Headers) -> Response | None:
        """None for whoever has the token; a page to give it for people; 401 for scripts."""
        assert self.token
        if scope["path"] == "/healthz" or self._knows(headers):
            return None
        if scope["path"] == "/" and scope["method"] == "GET":
            given = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=10).get("token")
            if given and _same(given[-1], self.token):
                response = RedirectResponse("/", 303)
                response.set_cookie(self.cookie, self.secret, httponly=True, samesite="strict", max_age=30 * 86400)
                return response
            sentence = "This token is not the one the server was started with." if given else "Give the server's token."
            return HTMLResponse(LOGIN.format(sentence=sentence), 401)
        sentence = "give the server's token as Authorization: Bearer TOKEN, or open the page with it."
        return told(401, sentence, {"WWW-Authenticate": "Bearer"})

    def _knows(self, headers: Headers) -> bool:
        assert self.token
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(value.strip(), self.token):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return morsel is not None and _same(morsel.value, self.secret)


def _is_foreign(scope: Scope, headers: Headers, host: str) -> bool:
    """Whether the browser says that another site asks; a link to the page itself is fine."""
    if any(urlsplit(origin).netloc.lower() != host.lower() for origin in headers.getlist("origin")):
        return True
    if headers.get("sec-fetch-site") in (None, "same-origin", "none"):
        return False
    to_page = scope["path"] == "/" and scope["method"] == "GET"
    return not (to_page and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document")


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets, in small letters."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_number(name) and ipaddress.ip_address(name).is_loopback


def _derived(token: str, use: str) -> str:
    return hmac.new(token.encode(), use.encode(), hashlib.sha256).hexdigest()


def _same(given: str, secret: str) -> bool:
    """Compared in a time that tells nothing."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())
