"""The page's server, over real sockets: who is let in, and how much one viewer may cost others."""

import http.client
import io
import json
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus

from etam_ros.console import connections
from etam_ros.console.config import WebConfig
from etam_ros.console.hub import Hub
from etam_ros.console.invitation import invite
from etam_ros.console.pages import page_files
from etam_ros.console.server import LARGEST_MESSAGE, Server
from etam_ros.console.viewer import TOO_FAST
from etam_ros.errors import ConfigError

TOKEN = "a-token-of-the-tests"


def descriptors():
    """How many this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def get(port, path="/", **headers):
    """Status, headers and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def test_the_page_and_its_files_come_with_their_guards(served):
    _, _, port = served
    for path in ("/", *(f"/page/{name}" for name in page_files())):
        status, headers, text = get(port, path)
        assert (status, bool(text)) == (200, True)
        policy = headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["referrer-policy"] == "no-referrer"
    assert get(port, "/page/style.css")[1]["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    "path",
    [
        "/no", "/page/no.js", "/page/../server.py", "/page/%2e%2e%2fserver.py",
        "/page/..%2f..%2fconfig.py", "/live",
    ],
)  # fmt: skip
def test_nothing_else_is_there_and_the_page_says_so(served, path):
    status, _, text = get(served[2], path)
    assert status == 404
    assert "There is nothing at this address" in text


def test_the_page_is_small_and_asks_no_other_host(page_folder):
    files = [path for path in page_folder.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 200_000
    for path in files:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
        assert " on" + "click=" not in text
        assert "<style" not in text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:{}", "127.0.0.1.evil.example:{}", "192.168.1.4:{}", "",
        "127.0.0.1:{} evil", "[::1", "localhost@evil",
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_refused(served, plain_viewer, host):
    """DNS rebinding: a foreign name that means this machine all of a sudden."""
    _, _, port = served
    status, _, text = get(port, Host=host.format(port))
    assert status in (400, 421)
    assert status == 400 or "which is no name of this machine" in text
    with pytest.raises((InvalidStatus, EOFError, ConnectionClosed)):
        plain_viewer(port, headers={"Host": host.format(port)})


@pytest.mark.parametrize("host", ["localhost:{}", "127.0.0.1:{}", "[::1]:{}", "LOCALHOST:9"])
def test_names_of_this_machine_are_taken(served, host):
    assert get(served[2], Host=host.format(served[2]))[0] == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "null", "http://127.0.0.1:1", "file://", "http://[",
        "http://127.0.0.1.evil.example",
    ],
)  # fmt: skip
def test_pages_of_others_get_no_live_picture(served, plain_viewer, origin):
    _, desk, port = served
    with pytest.raises(InvalidStatus) as refused:
        plain_viewer(port, headers={"Origin": origin})
    assert refused.value.response.status_code == 403
    assert b"only the page itself may" in refused.value.response.body
    assert get(port, Origin=origin)[0] == 403
    assert not desk.watched


def test_what_is_no_browser_needs_an_origin_too(served):
    port = served[2]
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        plain.sendall(
            f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: "
            "Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert plain.recv(100).startswith(b"HTTP/1.1 403")


class TestToken:
    @pytest.fixture
    def guarded(self, serving_with):
        with serving_with(token=TOKEN) as made:
            yield made

    def test_without_it_nothing_is_shown(self, guarded, plain_viewer):
        _, desk, port = guarded
        for path in ("/", "/page/main.js", "/page/style.css"):
            status, headers, text = get(port, path)
            assert status == 401
            assert "only to those who have its link" in text
            assert "set-cookie" not in headers
        with pytest.raises(InvalidStatus) as refused:
            plain_viewer(port)
        assert refused.value.response.status_code == 401
        assert not desk.watched

    @pytest.mark.parametrize(
        "token", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "%C3%A4", "%FF"]
    )
    def test_a_wrong_one_is_refused_in_words(self, guarded, plain_viewer, token):
        _, _, port = guarded
        status, headers, text = get(port, f"/?token={token}")
        assert status == 401
        assert "set-cookie" not in headers
        assert "link" in text
        for cookie in (f"etam_{port}={token}", f"etam_{port}=", f"other={TOKEN}", "=;=;,"):
            assert get(port, Cookie=cookie)[0] == 401

    def test_the_right_one_becomes_a_cookie_that_scripts_cannot_read(self, guarded, plain_viewer):
        _, _, port = guarded
        status, headers, text = get(port, f"/?token={TOKEN}")
        assert status == 200
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert 'url=/"' in text
        assert TOKEN not in text
        pair = cookie.partition(";")[0]
        assert get(port, Cookie=f"a=b; {pair}")[0] == 200
        viewer = plain_viewer(port, headers={"Cookie": pair})
        assert viewer.wait_for("channel")["name"] == "/tracker"

    def test_it_is_in_no_log(self, guarded, capfd, caplog):
        get(guarded[2], f"/?token={TOKEN}")
        get(guarded[2], f"/{TOKEN}?token={TOKEN}x")
        said = capfd.readouterr()
        assert TOKEN not in said.out + said.err + caplog.text


def test_other_addresses_are_never_without_a_token():
    with Server(WebConfig(host="0.0.0.0", port=0), Hub(), None) as server:
        assert server.access.needs_token
        link = server.access.link()
        port = server.access.cookie_name.removeprefix("etam_")
        token = link.partition("token=")[2]
        assert len(token) >= 20
        assert get(int(port))[0] == 401
        assert get(int(port), Host="192.168.1.4")[0] == 401  # an address, which nobody can rebind
        assert get(int(port), Host="evil.example")[0] == 421
        said = io.StringIO()
        invite(server.access, said)
        assert link in said.getvalue()
        assert "█" in said.getvalue() or "▄" in said.getvalue()
    with Server(WebConfig(host="0.0.0.0", port=0), Hub(), None) as other:
        assert other.access.link().partition("token=")[2] != token


def test_mistakes_of_whoever_starts_it_are_one_line():
    with pytest.raises(ConfigError, match="the token has 5 characters") as refused:
        WebConfig(token="short")
    assert "short" not in str(refused.value)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1, port {port}"):
            Server(WebConfig(port=port), Hub(), None)
    with pytest.raises(ConfigError, match=r"cannot listen on nowhere\.invalid"):
        Server(WebConfig(host="nowhere.invalid", port=0), Hub(), None)


def test_pictures_come_one_at_a_time_and_the_newest_next(served, plain_viewer):
    _, desk, port = served
    viewer = plain_viewer(port)
    viewer.wait_for("status", state="active")
    desk.show()
    first = viewer.wait_for("picture")
    assert first["objects"][0] == {
        "id": 7, "label": "square", "colour": "#d64a24", "occluded": False, "visibility": 0.9,
        "iou": 0.8, "at": [8.5, 15.5], "box": [1, 8, 17, 24], "unseen": 0.0, "position": None,
    }  # fmt: skip
    for _ in range(5):
        desk.show()
    viewer.send(do="ping", n=1)
    assert viewer.receive()["kind"] == "pong"  # no picture before the first was seen
    viewer.send(do="seen", n=first["n"])
    assert viewer.wait_for("picture")["n"] == 6


def test_what_is_asked_is_answered_in_words(served, plain_viewer):
    _, desk, port = served
    viewer = plain_viewer(port)
    viewer.wait_for("channel")
    viewer.send(do="point", n=3, points=[[1, 2]], label=1, stamp="1700000000123456789")
    assert viewer.wait_for("answer")["words"] == "Pointed done"
    assert desk.asked[0][1].stamp_ns == 1700000000123456789
    viewer.send(do="point", n=4, points=[[1, 2]], box=[1, 2, 3, 4])
    assert "neither or both of points and box" in viewer.wait_for("answer")["words"]
    desk.hub.channel("/tracker").report({"at": 1.0, "words": "object 1 added"})
    assert viewer.wait_for("event")["words"] == "object 1 added"
    late = plain_viewer(port)
    assert late.wait_for("channel")["events"] == [{"at": 1.0, "words": "object 1 added"}]


def test_several_trackers_are_chosen_from(served, plain_viewer):
    _, desk, port = served
    viewer = plain_viewer(port)
    assert viewer.wait_for("channel")["name"] == "/tracker"
    desk.hub.offer(("/tracker", "/front/tracker"))
    assert viewer.wait_for("channels")["names"] == ["/tracker", "/front/tracker"]
    viewer.send(do="watch", n=0, name="/nobody")
    viewer.send(do="watch", n=0, name="/front/tracker")
    assert viewer.wait_for("channel")["name"] == "/front/tracker"
    assert desk.watched == {"/front/tracker"}


def test_who_sends_too_much_is_told_and_then_shown_out(served, plain_viewer):
    _, desk, port = served
    viewer = plain_viewer(port)
    viewer.wait_for("channel")
    for number in range(60):
        viewer.send(do="reset", n=number)
    assert viewer.wait_for("answer", done=False)["words"] == TOO_FAST
    assert len(desk.asked) < 50
    with suppress(ConnectionClosed):
        for _ in range(2000):
            viewer.send(do="ping", n=1)
    assert viewer.end() == 1008
    assert get(port)[0] == 200


def test_messages_that_are_too_large_or_no_text_end_that_viewer_alone(served, plain_viewer):
    _, desk, port = served
    other = plain_viewer(port)
    for message, code in (("x" * (LARGEST_MESSAGE + 1), 1009), (b"\x00\x01", 1003)):
        viewer = plain_viewer(port)
        viewer.wait_for("channel")
        viewer.socket.send(message)
        assert viewer.end() == code
    other.wait_for("channel")
    desk.show()
    other.wait_for("picture")
    assert get(port, "/" + "x" * 40_000)[0] in (400, 404, 431)


def test_fifty_viewers_of_whom_one_never_reads(served, plain_viewer):
    _, desk, port = served
    hw = (720, 1280)
    deaf = plain_viewer(port)  # its socket is never read
    viewers = [plain_viewer(port) for _ in range(49)]
    for each in viewers:
        each.wait_for("channel")
    for _ in range(3):
        began = time.monotonic()
        desk.show(hw)
        assert time.monotonic() - began < 1.0  # whoever makes pictures never waits
        for each in viewers:
            found = each.wait_for("picture")
            assert found["size"] == [1280, 720]
            each.send(do="seen", n=found["n"])
    assert desk.shown == 3
    assert deaf.wait_for("picture")["n"] == 1
    with pytest.raises(TimeoutError):
        deaf.socket.recv(timeout=0.05)  # one picture is all that it costs


def test_connections_about_nothing_are_few_and_do_not_last(serving_with, monkeypatch):
    """Whoever has no token can open connections, too: each is a descriptor of the process."""
    monkeypatch.setattr(connections, "REQUEST_S", 1.0)
    with serving_with(max_viewers=2, token=TOKEN) as (_, _, port), ExitStack() as stack:
        most = 2 + connections.MOST_BESIDE_VIEWERS
        assert get(port)[0] == 401
        before = descriptors()
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            for _ in range(3 * most)
        ]
        for each in idle[::5]:
            with suppress(OSError):
                each.sendall(b"GET / HTTP/1.1\r\nHo")
        wait_until(lambda: descriptors() - before - len(idle) <= most)
        wait_until(lambda: descriptors() - before - len(idle) < 8)
        assert get(port)[0] == 401


def test_pings_that_nobody_waits_for_do_not_pile_up(served):
    _, desk, port = served
    with socket.create_connection(("127.0.0.1", port), 20) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(
            f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}"
            "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
            "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        wait_until(lambda: desk.watched)
        ping = b"\x89\xfd\0\0\0\0" + bytes(125)
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            deaf.sendall(500_000 * ping)
        wait_until(lambda: not desk.watched)


def test_there_may_be_too_many(serving_with, plain_viewer):
    with serving_with(max_viewers=1) as (_, _, port):
        plain_viewer(port).wait_for("channel")
        with pytest.raises(ConnectionClosed, match="1 browsers look on already"):
            plain_viewer(port).receive()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "do": st.sampled_from(["point", "seen", "select", "seek"]) | anything,
        **dict.fromkeys(
            ("n", "points", "box", "stamp", "label", "object", "on", "frame", "name"), anything
        ),
    },
)
sent = st.one_of(anything.map(json.dumps), messages.map(json.dumps), st.text())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(sent, max_size=8))
def test_no_message_ends_more_than_its_own_connection(shared_server, texts):
    viewer = shared_server()
    try:
        for text in texts:
            viewer.socket.send(text)
        viewer.send(do="ping", n=9)
        viewer.wait_for("pong", n=9)
    finally:
        viewer.close()
