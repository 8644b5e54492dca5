"""A host that does not answer is said within seconds."""

from __future__ import annotations

import socket

import pytest

from etam_ros.runtime.reachable import check_reachable


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_host_that_answers_is_fine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_reachable(f"http://127.0.0.1:{server.getsockname()[1]}/file")


def test_a_host_that_refuses_or_does_not_exist_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError, match=r"127\.0\.0\.1: "):
        check_reachable(f"http://127.0.0.1:{port}/file")
    with pytest.raises(OSError, match=r"nowhere\.invalid"):
        check_reachable("https://nowhere.invalid/file")


def test_where_a_proxy_stands_between_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    check_reachable("https://nowhere.invalid/file")
