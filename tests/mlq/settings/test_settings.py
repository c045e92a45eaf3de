"""Settings: where they come from, what is refused, and what is remembered."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from mlq.errors import SettingsError
from mlq.settings import load as settings_module
from mlq.settings.load import Loaded, default_runtime_dir, is_in_use, load
from mlq.settings.settings import Settings, variable


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}


def load_file(environ: dict[str, str], content: str | bytes) -> Loaded:
    path = Path(environ["HOME"]) / ".config" / "mlq" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(environ)


def test_without_any_setting_the_xdg_folders_are_used(environ: dict[str, str]) -> None:
    home = Path(environ["HOME"])
    loaded = load(environ)
    assert loaded.config_file == home / ".config/mlq/config.toml"
    assert set(loaded.origin.values()) == {"default"}
    assert set(loaded.origin) == set(Settings._fields)
    found = loaded.settings
    assert found.root == home / ".local/share/mlq"
    assert found.server_dir == home / ".local/share/mlq/server"
    assert found.runtime_dir == Path(environ["XDG_RUNTIME_DIR"]) / "mlq"
    assert found.redis_socket == found.runtime_dir / "redis.sock"
    assert found.password_file == home / ".config/mlq/redis.password"
    assert found.key_file == home / ".config/mlq/signing.key"
    assert found.machine == os.uname().nodename.split(".")[0]
    times = (found.beat_s, found.lease_s, found.fence_s, found.dead_s, found.redis_fsync)
    assert times == (10, 45, 60, 90, "always")


def test_without_a_runtime_folder_a_private_one_in_tmp_is_used(environ: dict[str, str]) -> None:
    del environ["XDG_RUNTIME_DIR"]
    defaults = settings_module.default_settings(environ, Path("/etc"))
    assert defaults.runtime_dir == Path(f"/tmp/mlq-{os.getuid()}")


def test_without_a_home_variable_the_account_tells() -> None:
    assert settings_module.home({}) == Path(pwd.getpwuid(os.getuid()).pw_dir)


def test_the_volume_of_the_lab_is_the_root_where_it_exists(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_module, "_LAB_VOLUME", tmp_path / "vol")
    environ["USER"] = "abc12"
    assert load(environ).settings.root == Path(environ["HOME"]) / ".local/share/mlq"
    (tmp_path / "vol" / "abc12").mkdir(parents=True)
    assert load(environ).settings.root == tmp_path / "vol" / "abc12" / "mlq"


def test_two_installations_share_no_path(tmp_path: Path) -> None:
    kinds = {"XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "d", "XDG_RUNTIME_DIR": "r", "MLQ_ROOT": "o"}
    one, other = (
        load({name: str(tmp_path / side / end) for name, end in kinds.items()}).settings
        for side in ("one", "other")
    )
    for name, mine, yours in zip(one._fields, one, other, strict=True):
        # What packs are called follows from what is in them: installations may share them. And all
        # users meet in one folder.
        if isinstance(mine, Path) and name not in ("cache_dir", "shared_dir"):
            assert mine.is_relative_to(tmp_path / "one")
            assert yours.is_relative_to(tmp_path / "other")


def test_a_variable_beats_the_file_and_the_file_the_default(environ: dict[str, str]) -> None:
    environ["MLQ_LEASE_S"] = "20.5"
    loaded = load_file(environ, "# times\nbeat_s = 5\n\nlease_s=30\nallow_unsigned = true\n")
    assert (loaded.settings.beat_s, loaded.settings.lease_s, loaded.settings.fence_s) == (
        5,
        20.5,
        60,
    )
    assert loaded.settings.allow_unsigned is True
    assert loaded.origin["beat_s"] == f"{loaded.config_file} line 2"
    assert loaded.origin["allow_unsigned"] == f"{loaded.config_file} line 5"
    assert loaded.origin["lease_s"] == "environment MLQ_LEASE_S"
    assert loaded.origin["fence_s"] == "default"


def test_every_setting_has_a_variable(environ: dict[str, str]) -> None:
    default = load(environ).settings
    values = {
        name: "/elsewhere"
        if isinstance(value, Path) or value == ""
        else "gpu01,gpu02"
        if value == ()
        else str(value)
        for name, value in default._asdict().items()
    } | {"hours": "sat sun"}
    loaded = load(environ | {variable(name): value for name, value in values.items()})
    assert loaded.origin == {name: f"environment {variable(name)}" for name in values}
    assert loaded.settings.root == Path("/elsewhere")


def test_machines_are_a_list_however_they_are_set(environ: dict[str, str]) -> None:
    listed = load_file(environ, 'machines = ["gpu01", "me@gpu02"]\n')
    assert listed.settings.machines == ("gpu01", "me@gpu02")
    assert load(environ) == listed  # also when it was remembered
    by_variable = load(environ | {"MLQ_MACHINES": "gpu03, gpu04,"})
    assert by_variable.settings.machines == ("gpu03", "gpu04")


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "a b", "a;b", ""])
def test_what_ssh_would_take_for_something_else_is_no_machine(
    environ: dict[str, str], name: str
) -> None:
    with pytest.raises(SettingsError, match="line 1: machines = "):
        load_file(environ, f'machines = ["gpu01", "{name}"]\n')


def test_another_config_file_takes_the_secrets_along(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "other.toml").write_text('root = "~/results"\n')
    loaded = load(environ | {"MLQ_CONFIG": str(tmp_path / "other.toml")})
    assert loaded.settings.key_file == tmp_path / "signing.key"
    assert loaded.settings.root == Path(environ["HOME"]) / "results"


def test_the_socket_follows_the_runtime_folder(environ: dict[str, str]) -> None:
    found = load_file(environ, 'runtime_dir = "/run/mine"\n').settings
    assert found.redis_socket == Path("/run/mine/redis.sock")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x = 1\nbeats_s = 3\n", "line 1: there is no setting 'x'"),
        ("beat_s = 3\n\nlease = 9\n", "line 3: there is no setting 'lease'"),
        ("lease = 9\n", "did you mean lease_s?"),
        ("beat_s = 3\n[mlq]\nlease_s = 9\n", "line 2: there is no setting 'mlq'"),
        ("beat_s = '3'\n", "line 1: beat_s = '3' cannot be used: should be a valid number"),
        ("\nbeat_s = true\n", "line 2: beat_s = True cannot be used"),
        ("beat_s = -1\n", "should be greater than 0"),
        ("beat_s = nan\n", "cannot be used"),
        ("dead_s = inf\n", "cannot be used"),
        ("max_losses = 1.5\n", "cannot be used"),
        ("allow_unsigned = 1\n", "should be a valid boolean"),
        ("redis_fsync = 'no'\n", "'always' or 'everysec'"),
        ("root = 1979-05-27\n", "must begin with /"),
        ("root = 'results'\n", "must begin with / or ~/"),
        ("root = ''\n", "must begin with / or ~/"),
        ("machine = 'a/b'\n", "line 1: machine = 'a/b' cannot be used"),
        ("beat_s = 3\nlease_s =\n", "line 2: this is not TOML"),
        ("beat_s = 3\nbeat_s = 4\n", "this is not TOML"),
        (b"beat_s = 3\n# \xff\n", "line 2: this is not UTF-8"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_line(
    environ: dict[str, str], content: str | bytes, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_file(environ, content)
    assert said in str(caught.value)
    assert "config.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MLQ_BEAT_S", "ten", "environment MLQ_BEAT_S: beat_s = 'ten' cannot be used"),
        ("MLQ_BEAT_S", "inf", "environment MLQ_BEAT_S"),
        ("MLQ_ALLOW_UNSIGNED", "perhaps", "environment MLQ_ALLOW_UNSIGNED"),
        ("MLQ_ROOT", "here", "must begin with /"),
        ("MLQ_BEAT", "3", "did you mean MLQ_BEAT_S?"),
        ("MLQ_CONFIG", "/nowhere/config.toml", "MLQ_CONFIG names it"),
        ("MLQ_CONFIG", "/", "Is a directory"),
    ],
)
def test_a_wrong_variable_is_named(
    environ: dict[str, str], name: str, value: str, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ | {name: value})
    assert said in str(caught.value)


def test_an_empty_variable_and_those_of_others_count_for_nothing(environ: dict[str, str]) -> None:
    extra = {"MLQ_BEAT_S": "", "MLQ_CONFIG": "", "MLQ_JOB_ID": "7", "MLQ_OUTPUT_DIR": "/x"}
    extra |= {"MLQ_FLAVOUR": "mint", "BEAT_S": "x"}
    assert load(environ | extra) == load(environ)


@pytest.mark.parametrize(
    ("name", "value"), [("beat_s", 45), ("lease_s", 60), ("fence_s", 90), ("dead_s", 60)]
)
def test_the_order_of_the_liveness_times_is_kept(
    environ: dict[str, str], name: str, value: int
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ | {variable(name): str(value)})
    assert f"{name} = {value} (environment {variable(name)})" in caught.value.why
    assert "(default)" in caught.value.why


def modules_after(code: str, environ: dict[str, str]) -> str:
    command = [sys.executable, "-c", f"import os, sys; {code}; print(*sys.modules)"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


def test_a_second_load_is_the_same_and_imports_no_pydantic(environ: dict[str, str]) -> None:
    code = "from mlq.settings.load import load; load(os.environ)"
    assert "pydantic" in modules_after(code, environ).split()
    again = modules_after(code, environ).split()
    assert not {"pydantic", "tomllib", "annotated_types", "redis"} & set(again)
    loaded = load(environ)
    assert loaded == load(environ)
    assert isinstance(loaded.settings.root, Path)


def test_the_memory_is_private_and_a_change_is_seen_at_once(environ: dict[str, str]) -> None:
    assert load_file(environ, "beat_s = 3\n").settings.beat_s == 3
    assert load_file(environ, "beat_s = 3\n").settings.beat_s == 3
    assert load_file(environ, "beat_s = 4\n").settings.beat_s == 4
    assert load(environ | {"MLQ_BEAT_S": "5"}).settings.beat_s == 5
    folder = Path(environ["XDG_RUNTIME_DIR"]) / "mlq" / "settings"
    assert {path.stat().st_mode & 0o777 for path in (folder, folder.parent)} == {0o700}
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600] * 3


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[1, 2, 3]", b"\xff", b'[{"root": 1}, {}]', b"7"])
def test_a_spoilt_memory_is_made_anew(environ: dict[str, str], spoilt: bytes) -> None:
    loaded = load(environ)
    (memory,) = (Path(environ["XDG_RUNTIME_DIR"]) / "mlq" / "settings").iterdir()
    memory.write_bytes(spoilt)
    assert load(environ) == loaded
    assert memory.read_bytes() != spoilt


def test_a_memory_open_to_others_is_not_believed(environ: dict[str, str]) -> None:
    loaded = load(environ)
    (memory,) = (Path(environ["XDG_RUNTIME_DIR"]) / "mlq" / "settings").iterdir()
    memory.write_bytes(memory.read_bytes().replace(b'"beat_s": 10', b'"beat_s": 11'))
    assert load(environ).settings.beat_s == 11  # else the next line would prove nothing
    memory.chmod(0o646)
    assert load(environ) == loaded


def test_without_a_safe_runtime_folder_settings_are_read_all_the_same(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "run" / "mlq").mkdir(parents=True)
    (tmp_path / "run" / "mlq").chmod(0o777)
    assert load(environ).settings.beat_s == 10
    assert list((tmp_path / "run" / "mlq").iterdir()) == []


def test_a_runtime_folder_is_in_use_while_a_server_or_worker_has_its_files_there(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "mlq"
    assert not is_in_use(folder)
    folder.mkdir()
    (folder / "t").mkdir()
    assert not is_in_use(folder)
    (machine := folder / "m" / "desk").mkdir(parents=True)
    assert not is_in_use(folder)
    (machine / "supervisor.pid").touch()
    assert is_in_use(folder)
    (link := tmp_path / "link").symlink_to(folder)
    assert not is_in_use(link)
    (machine / "supervisor.pid").unlink()
    (folder / "redis.sock").touch()
    assert is_in_use(folder)


def test_the_runtime_folder_outlives_a_logout() -> None:
    systemd = f"/run/user/{os.getuid()}"
    own = Path(f"/tmp/mlq-{os.getuid()}")
    assert default_runtime_dir({}, lingers=False) == own
    assert default_runtime_dir({"XDG_RUNTIME_DIR": systemd}, lingers=False) == own
    assert default_runtime_dir({"XDG_RUNTIME_DIR": f"{systemd}/"}, lingers=False) == own
    assert default_runtime_dir({"XDG_RUNTIME_DIR": systemd}, lingers=True) == Path(systemd) / "mlq"
    assert default_runtime_dir({"XDG_RUNTIME_DIR": "/x"}, lingers=False) == Path("/x/mlq")
