"""Checks where a request comes from: only the server's own page and scripts of its user are allowed.

Requests of another site in the same browser are recognised by a foreign Host (DNS rebinding), a foreign Origin, or the
browser's Sec-Fetch-Site header.
"""

import hashlib
import hmac
import ipaddress
import logging
import socket
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketchseek.server.errors import error_response
from sketchseek.server.protection.wrong_tokens import WrongTokens

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MIN_TOKEN_LENGTH = 16
MIN_TOKEN_VARIETY = 6  # different characters
BEARER = {"WWW-Authenticate": "Bearer"}
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
# The form uses GET: under no-referrer, browsers send a POST without its origin.
LOGIN_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>sketchseek</title>
<h1>sketchseek</h1>
<p>{message}</p>
<form action="/">
<label>Token <input name="token" type="password" autofocus required></label>
<button>Open</button>
</form>
</html>
"""


def allowed_hosts(host: str) -> frozenset[str] | None:
    """The host names a request may use; None: any IP address, and the names of this machine.

    IP addresses are safe: DNS rebinding needs a name that an attacker's DNS server resolves.
    """
    if host in LOOPBACK or _is_loopback(host):
        return LOOPBACK | {host}
    return None


class Guard:
    """ASGI middleware around the app: checks requests, adds security headers, turns an exception into a plain 500."""

    def __init__(self, app: ASGIApp, host: str, token: str | None) -> None:
        self.app, self.host, self.token = app, host.lower(), token
        self.hosts = allowed_hosts(self.host)
        if token:  # named by the token, because servers on other ports of a host share its cookies
            self.cookie = "sketchseek_" + _derive(token, "name")[:8]
            self.secret = _derive(token, "cookie")
            self.wrong_tokens = WrongTokens()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
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
            await refusal(scope, receive, send_with_headers)
            return
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            log.exception("a request failed: %s %r", scope["method"], scope["path"])
            if started:
                raise
            message = "internal error; see the output of the server."
            await error_response(500, message)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            return error_response(403, "send exactly one Host header; open the address that sketchseek serve printed.")
        if not self._is_own_name(name := _name(hosts[0])):
            return error_response(
                403, f"this server is not called {name[:100]!r}; open the address that sketchseek serve printed."
            )
        if _is_foreign(scope, headers, hosts[0]):
            return error_response(403, "requests from other sites are rejected.")
        return self._login(scope, headers) if self.token else None

    def _is_own_name(self, name: str) -> bool:
        if self.hosts is not None:
            return name in self.hosts
        machine = socket.gethostname().lower()
        return name in LOOPBACK or name in (self.host, machine, f"{machine}.local") or _is_ip_address(name)

    def _login(self, scope: Scope, headers: Headers) -> Response | None:
        """None for a request with the token; the login page for people; 401 for scripts; 429 after wrong tokens."""
        assert self.token
        if scope["path"] == "/healthz" or self._has_cookie(headers):
            return None
        page = scope["path"] == "/" and scope["method"] == "GET"
        bearer, typed = _bearer(headers), _typed(scope) if page else None
        given = [token for token in (bearer, typed) if token is not None]
        if given and (seconds := self.wrong_tokens.wait(scope)):
            message = f"Too many wrong tokens: wait {seconds} seconds."
            return _asking(page, 429, message, {"Retry-After": str(seconds)})
        if bearer is not None and _equal(bearer, self.token):
            return None
        if typed is not None and _equal(typed, self.token):
            response = RedirectResponse("/", 303)
            response.set_cookie(self.cookie, self.secret, httponly=True, samesite="strict", max_age=30 * 86400)
            return response
        if given:
            self.wrong_tokens.note(scope)
            return _asking(page, 401, "This is not the token of this server.", BEARER)
        if page:
            return _asking(page, 401, "Enter the token of this server.", BEARER)
        return error_response(
            401, "send the token of the server as Authorization: Bearer TOKEN, or open the page with it.", BEARER
        )

    def _has_cookie(self, headers: Headers) -> bool:
        """Whether the browser has logged in; the cookie is too long to be guessed."""
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return morsel is not None and _equal(morsel.value, self.secret)


def _bearer(headers: Headers) -> str | None:
    """The token that a script sends."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else None


def _typed(scope: Scope) -> str | None:
    """The token in the address, from the login page."""
    try:
        given = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=10).get("token")
    except ValueError:  # more fields than any page of ours sends
        return None
    return given[-1] if given else None


def _asking(page: bool, status: int, message: str, headers: Mapping[str, str]) -> Response:
    """The login page, or the same sentence for scripts."""
    if page:
        return HTMLResponse(LOGIN_PAGE.format(message=message), status, headers)
    return error_response(status, f"{message[:1].lower()}{message[1:]}", headers)


def _is_foreign(scope: Scope, headers: Headers, host: str) -> bool:
    """Whether the request comes from another site; a link to the page itself is allowed."""
    if any(_place(origin) != host.lower() for origin in headers.getlist("origin")):
        return True
    if headers.get("sec-fetch-site") in (None, "same-origin", "none"):
        return False
    to_page = scope["path"] == "/" and scope["method"] == "GET"
    return not (to_page and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document")


def _place(origin: str) -> str | None:
    """The host and the port of an Origin header, in lower case; None if it is not an address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _name(host: str) -> str:
    """The name in a Host header, in lower case, without port and brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_ip_address(name) and ipaddress.ip_address(name).is_loopback


def _derive(token: str, use: str) -> str:
    return hmac.new(token.encode(), use.encode(), hashlib.sha256).hexdigest()


def _equal(given: str, secret: str) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())
