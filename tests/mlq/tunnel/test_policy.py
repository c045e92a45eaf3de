"""The pure parts of tunnels: when to try again, when to leave, whose key is known."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from pathlib import Path

import pytest
from installation import private_settings

from mlq.errors import TunnelError
from mlq.tunnel import reach
from mlq.tunnel.interface import TunnelState
from mlq.tunnel.known_hosts import KnownKey, check, known_keys, preferred
from mlq.tunnel.reconnect import FIRST_DELAY_S, LONGEST_DELAY_S, delay_s
from mlq.tunnel.shared_daemon import patience_s
from mlq.tunnel.target import Target

KEY, OTHER = b"the key", b"another key"
LINE = f"ssh-ed25519 {base64.b64encode(KEY).decode()} comment\n"


def test_delays_grow_to_a_limit_and_are_spread() -> None:
    middle = [delay_s(failures, 0.5) for failures in range(12)]
    assert middle[0] == FIRST_DELAY_S
    assert middle == sorted(middle)
    assert middle[-1] == LONGEST_DELAY_S
    assert delay_s(10**6, 0.5) == LONGEST_DELAY_S
    assert (delay_s(3, 0.0), delay_s(3, 1.0)) == (0.5 * delay_s(3, 0.5), 1.5 * delay_s(3, 0.5))


def test_a_keeper_stays_only_with_a_tunnel() -> None:
    connecting = TunnelState(up=False, since_s=0)
    failed = replace(connecting, tried_s=5, last_error=TunnelError("no"))
    up = TunnelState(up=True, since_s=9, tried_s=8)
    assert patience_s(connecting, 900) == float("inf")
    assert patience_s(failed, 900) < 5
    assert patience_s(up, 900) == 900


def test_the_trouble_of_a_tunnel_in_words() -> None:
    down = TunnelState(up=False, since_s=100, last_error=TunnelError("x", why="No route to host"))
    assert down.trouble(280) == "tunnel down 3m: No route to host"
    back = replace(down, up=True, since_s=400, outage_s=300, restarts=1)
    assert back.trouble(460) == "tunnel was down for 5m, 1m ago: No route to host"
    assert back.trouble(4000) == ""
    assert TunnelState(up=True, since_s=100).trouble(200) == ""


def test_without_a_queue_host_the_socket_is_the_servers_own(tmp_path: Path) -> None:
    settings = private_settings(tmp_path)
    assert reach(settings) == settings.redis_socket
    assert not (tmp_path / "run").exists()


def test_machines_may_share_a_config_file_with_the_queues_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = private_settings(tmp_path)._replace(queue_host="me@gpu01")
    assert settings.is_remote
    monkeypatch.setattr("os.uname", lambda: type("Uname", (), {"nodename": "gpu01.lab.org"}))
    assert not settings.is_remote
    assert reach(settings) == settings.redis_socket


def test_what_makes_two_tunnels_different(tmp_path: Path) -> None:
    settings = private_settings(tmp_path)._replace(queue_host="gpu01")
    target = Target.of(settings)
    assert target.socket == str(settings.redis_socket)
    assert Target.from_json(target.to_json()) == target
    assert Target.of(settings._replace(tunnel_idle_s=5)).folder_name == target.folder_name
    for other in (
        {"gateway": "gate"},
        {"queue_host": "gpu02"},
        {"remote_socket": "/other.sock"},
        {"tunnel": "sshtunnel"},
        {"redis_tcp": True},
    ):
        assert Target.of(settings._replace(**other)).folder_name != target.folder_name


def hashed(name: str) -> str:
    salt = b"0123456789abcdef0123"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("names", "name", "known"),
    [
        ("gpu01", "gpu01", True),
        ("GPU01,10.0.0.1", "gpu01", True),
        ("gpu01", "gpu011", False),
        ("*.lab.org", "gpu01.lab.org", True),
        ("*.lab.org,!gpu01.lab.org", "gpu01.lab.org", False),
        ("[127.0.0.1]:2222", "[127.0.0.1]:2222", True),
        ("[127.0.0.1]:2222", "127.0.0.1", False),
        (hashed("gpu01"), "gpu01", True),
        (hashed("gpu01"), "gpu02", False),
        ("|1|broken", "gpu01", False),
        ("@cert-authority *", "gpu01", False),
        ("#gpu01", "gpu01", False),
    ],
)
def test_which_lines_are_about_a_host(tmp_path: Path, names: str, name: str, known: bool) -> None:
    listed = tmp_path / "known_hosts"
    listed.write_text(f"\n# a comment\nnonsense\ngpu01 ssh-ed25519 ###\n{names} {LINE}")
    found = known_keys([tmp_path / "missing", listed], name)
    assert [key.blob for key in found] == [KEY] * known


def test_a_key_is_known_changed_revoked_or_unknown() -> None:
    good = KnownKey("ssh-ed25519", KEY, "/list:1")
    check("gpu01", "ssh-ed25519", KEY, [good], "ssh gpu01")
    with pytest.raises(TunnelError, match="not known"):
        check("gpu01", "ssh-ed25519", KEY, [], "ssh gpu01")
    with pytest.raises(TunnelError, match=r"has changed(.|\n)*/list:1"):
        check("gpu01", "ssh-ed25519", OTHER, [good], "ssh gpu01")
    with pytest.raises(TunnelError, match="revoked"):
        check("gpu01", "ssh-ed25519", KEY, [good, replace(good, revoked=True)], "ssh gpu01")


def test_a_host_is_asked_for_the_kind_of_key_that_is_listed() -> None:
    offered = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    known = [KnownKey("ssh-rsa", KEY, "")]
    assert preferred(offered, known)[:2] == ("rsa-sha2-512", "rsa-sha2-256")
    assert preferred(offered, []) == offered
