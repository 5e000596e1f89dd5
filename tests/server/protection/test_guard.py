from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from sketchseek.server.app import create_app
from sketchseek.server.protection.guard import HEADERS, Guard, allowed_hosts
from sketchseek.server.protection.wrong_tokens import MAX_WRONG, PERIOD_S, WrongTokens
from sketchseek.server.service import Service
from tests.server.conftest import ADDRESS

TOKEN = "correct horse battery"
HOSTS = ["127.0.0.1:8000", "localhost:9000", "LOCALHOST", "[::1]:8000", "127.0.0.1", "localhost.:80"]
STRANGERS = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "192.168.0.7",
    "",
    "localhost@evil",
    "[::2]",
]


@pytest.fixture
def guarded(service: Service) -> Iterator[TestClient]:
    """A server for the whole network, with a token."""
    with TestClient(create_app(service, host="0.0.0.0", token=TOKEN), base_url=ADDRESS) as client:
        yield client


def status_of(client: TestClient, path: str = "/api/status", method: str = "GET", **headers: str) -> int:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request(method, path, headers=names).status_code


@pytest.mark.parametrize("host", HOSTS)
def test_this_machine_s_own_names_are_answered(client: TestClient, host: str) -> None:
    assert status_of(client, host=host) == 200


@pytest.mark.parametrize("host", STRANGERS)
def test_the_host_name_of_another_site_is_rejected(client: TestClient, host: str) -> None:
    answer = client.get("/api/status", headers={"host": host})
    assert answer.status_code == 403
    assert "address that sketchseek serve printed" in answer.json()["error"]


def test_two_hosts_are_none(client: TestClient) -> None:
    assert client.get("/healthz", headers=[("host", "127.0.0.1"), ("host", "127.0.0.1")]).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://[", "http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1", "x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_another_origin_is_refused(client: TestClient, origin: str, method: str) -> None:
    assert status_of(client, "/api/search", method, origin=origin) == 403


def test_the_own_origin_is_answered(client: TestClient) -> None:
    answer = client.post("/api/search", files={"text": (None, "red")}, headers={"origin": ADDRESS})
    assert answer.status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_the_browser_calls_foreign_is_refused(client: TestClient, site: str, some_id: str) -> None:
    for path in ("/api/status", f"/api/photos/{some_id}", f"/api/photos/{some_id}/thumbnail", "/metrics"):
        assert status_of(client, path, sec_fetch_site=site, sec_fetch_mode="no-cors", sec_fetch_dest="image") == 403
    for path in ("/", "/index.html"):
        assert status_of(client, path, sec_fetch_site=site, sec_fetch_mode="no-cors", sec_fetch_dest="iframe") == 403


def test_a_link_from_elsewhere_opens_the_page_and_nothing_else(client: TestClient) -> None:
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert status_of(client, "/", **link) == 200
    assert status_of(client, "/api/status", **link) == 403


def test_pages_of_another_site_get_no_cors_headers(client: TestClient) -> None:
    answer = client.options(
        "/api/search", headers={"origin": "http://evil.example", "access-control-request-method": "POST"}
    )
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/photos/xyz", "/nothing", "/healthz", "/openapi.json"])
def test_every_answer_carries_the_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    refused = client.get(path, headers={"host": "evil.example"})
    assert refused.headers["content-security-policy"].startswith("default-src 'none'")


def test_nothing_inline_and_nothing_foreign_is_allowed_by_the_policy() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


def test_the_schema_s_own_pages_are_off_because_they_load_scripts_from_elsewhere(client: TestClient) -> None:
    assert status_of(client, "/docs") == status_of(client, "/redoc") == 404


def test_a_bug_is_a_plain_500_with_the_headers(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        raise ValueError("secret detail")

    answer = TestClient(Guard(broken, "127.0.0.1", None), base_url=ADDRESS).get("/api/status")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "secret detail" in caplog.text


# With a token.


def test_without_the_token_nothing_but_the_pulse_is_shown(guarded: TestClient, some_id: str) -> None:
    for path in ("/api/status", f"/api/photos/{some_id}", "/metrics", "/openapi.json", "/index.html", "/nothing"):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "token" in answer.json()["error"]
    assert guarded.post("/api/search", files={"text": (None, "red")}).status_code == 401
    assert guarded.get("/healthz").json() == {"status": "ok"}


def test_the_page_asks_people_for_it(guarded: TestClient) -> None:
    answer = guarded.get("/")
    assert answer.status_code == 401
    assert "<form" in answer.text
    assert "not the token" in guarded.get("/?token=wrong").text


def test_an_address_with_many_fields_asks_for_the_token(guarded: TestClient) -> None:
    answer = guarded.get("/?" + "&".join(f"a{number}=1" for number in range(50)))
    assert answer.status_code == 401
    assert "<form" in answer.text


def test_wrong_tokens_are_limited_and_noted_once(guarded: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Whether they come from a script or from the page; a browser that has logged in is served on."""
    with TestClient(guarded.app, base_url=ADDRESS) as browser:
        assert browser.get("/", params={"token": TOKEN}).status_code == 200
        for number in range(MAX_WRONG):
            if number % 2:
                assert guarded.get("/", params={"token": f"wrong {number}"}).status_code == 401
            else:
                assert status_of(guarded, authorization=f"Bearer wrong {number}") == 401
        for given in ("wrong", TOKEN):
            answer = guarded.get("/api/status", headers={"authorization": f"Bearer {given}"})
            assert answer.status_code == 429
            assert 0 < int(answer.headers["retry-after"]) <= PERIOD_S
            assert "too many wrong tokens" in answer.json()["error"]
            assert guarded.get("/", params={"token": given}).status_code == 429
        assert browser.get("/api/status").status_code == 200
        assert status_of(guarded) == 401
    assert len([record for record in caplog.records if "wrong tokens from" in record.getMessage()]) == 1
    assert TOKEN not in caplog.text


def test_each_address_has_a_limit_of_its_own_and_it_ends() -> None:
    now = 0.0
    wrong = WrongTokens(lambda: now)
    ours, others = ({"client": (host, 1)} for host in ("2001:db8::1", "192.0.2.1"))
    for _ in range(MAX_WRONG):
        assert wrong.wait(ours) == 0
        wrong.note(ours)
    assert wrong.wait(ours) == wrong.wait({"client": ("2001:db8::2", 9)}) == PERIOD_S
    assert wrong.wait(others) == 0
    now = PERIOD_S
    assert wrong.wait(ours) == 0


def test_the_address_with_the_token_leads_to_a_cookie_and_away_from_the_token(guarded: TestClient) -> None:
    answer = guarded.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    assert guarded.get("/api/status").status_code == 200


@pytest.mark.parametrize(
    ("value", "status"),
    [(f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), ("Bearer wrong", 401), (TOKEN, 401), ("Bearer \xff", 401)],
)
def test_scripts_give_it_as_bearer(guarded: TestClient, value: str, status: int) -> None:
    assert guarded.get("/api/status", headers={b"authorization": value.encode("latin-1")}).status_code == status


@pytest.mark.parametrize(
    "cookie", ["sketchseek=x", "{name}=wrong", "{name}=", "{name}=\xff", "=;=,;;\x01", "{name}=" + "a" * 4000]
)
def test_wrong_cookies_are_no_token(guarded: TestClient, cookie: str) -> None:
    app = Guard(None, "0.0.0.0", TOKEN)  # type: ignore[arg-type]
    header = cookie.format(name=app.cookie).encode("latin-1")
    assert guarded.get("/api/status", headers={b"cookie": header}).status_code == 401


def test_with_a_token_a_foreign_site_is_refused_all_the_same(guarded: TestClient) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/api/status", headers={**bearer, "origin": "http://evil.example"}).status_code == 403
    assert guarded.get("/api/status", headers={**bearer, "host": "evil.example"}).status_code == 403
    assert guarded.get("/api/status", headers={**bearer, "host": "192.168.0.7:8000"}).status_code == 200


def test_which_addresses_are_this_machine_alone() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        assert allowed_hosts(host)
    for host in ("0.0.0.0", "::", "192.168.0.7", "photos.example", ""):
        assert allowed_hosts(host) is None
