"""`readiness serve` as an operator meets it: it starts and says where, or says in one line what is wrong."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from readiness import __version__
from readiness.cli import main
from tests.integration.participant import PRESENT, let_go, participant
from tests.integration.support import ROOT, certificate, free_port, serving, settings_env

TOO_LATE_S = 60
LINKS = {
    "base_url",
    "selftest_url",
    "board_url",
    "organiser_url",
    "support_url",
    "dropin_url",
    "rooms_url",
    "room_code",
    "staff_url",
}


def readiness(folder: Path, *arguments: str, cwd: Path = ROOT, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "readiness", *arguments],
        cwd=cwd, env=settings_env(folder, settings), capture_output=True, text=True, timeout=TOO_LATE_S, check=False,
    )  # fmt: skip


def in_this_process(capsys: pytest.CaptureFixture[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same without a process of its own, for what is refused before anything starts."""
    status = main(arguments)
    said = capsys.readouterr()
    return subprocess.CompletedProcess(arguments, status, said.out, said.err)


def refused(done: subprocess.CompletedProcess[str], *names: str) -> str:
    """The one line it said; it names the settings, and nothing was served."""
    assert done.returncode != 0, done
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("readiness: ")
    assert "Traceback" not in done.stderr
    for name in names:
        assert name in lines[0], lines[0]
    return lines[0]


def test_a_port_in_use_is_said(tmp_path):
    """And what to do about it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = refused(readiness(tmp_path, "serve", PORT=port), "READINESS_PORT", port, "in use")
    assert "another port" in line


def test_a_host_that_is_not_ours_is_said(tmp_path):
    """An address of somebody else, and a name that does not exist."""
    refused(readiness(tmp_path, "serve", HOST="198.51.100.7"), "READINESS_HOST", "198.51.100.7")


@pytest.mark.parametrize("command", ["serve", "organisation", "meeting"])
def test_a_data_folder_that_cant_be_written_is_said(tmp_path, command):
    """A path below a file, whoever runs it; every command that needs the folder says so."""
    (tmp_path / "file").write_text("")
    arguments = {
        "serve": [],
        "organisation": ["--slug", "a", "--name", "A", "--support-phone", "112"],
        "meeting": ["--organisation", "a", "--starts", "2030-01-01T10:00"],
    }[command]
    settings = {"DATA_DIR": str(tmp_path / "file" / "data"), "PUBLIC_URL": "https://ready.example"}
    refused(readiness(tmp_path, command, *arguments, **settings), "READINESS_DATA_DIR", "file/data")


@pytest.mark.needs_root
def test_a_data_folder_of_somebody_else_is_said(tmp_path):
    """Started as nobody with a folder that nobody may not write."""
    folder = tmp_path / "owned"
    folder.mkdir(mode=0o755)
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1]);"
        "from readiness import cli; import readiness.server.serve, readiness.demo;"
        "known = cli.profile_names(); cli.profile_names = lambda: known;"  # nobody may not read a checkout below /root
        "os.setgid(65534); os.setuid(65534);"
        "sys.exit(cli.main(['serve', '--data-dir', sys.argv[2], '--port', '0']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT), str(folder)],
        cwd=tmp_path, env=settings_env(tmp_path, {}), capture_output=True, text=True, timeout=TOO_LATE_S, check=False,
    )  # fmt: skip
    refused(done, "READINESS_DATA_DIR", "Permission denied")


def test_an_unknown_variable_is_said(tmp_path):
    """A typing mistake never passes in silence."""
    refused(readiness(tmp_path, "serve", PROT="80"), "READINESS_PROT")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"), ("PORT", "70000"), ("PORT", "-1"), ("PORT", ""), ("HOST", "a host"), ("WORKERS", "0"),
        ("WORKERS", "many"), ("CAPACITY", "0"), ("CAPACITY", "2.5"), ("MEDIA_ADDRESSES", "hospital.example"),
        ("MEDIA_ADDRESSES", "10.0.0.1=nat"), ("MEDIA_PORTS", "50000"), ("MEDIA_PORTS", "50199-50000"),
        ("MEDIA_PORTS", "80-90"), ("MEDIA_PORTS", "50000-50001"), ("TRUSTED_PROXIES", "proxy"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"), ("PUBLIC_URL", "ready.example"), ("PUBLIC_URL", "https://ready.example/path"),
        ("PUBLIC_URL", "ftp://ready.example"), ("DATABASE_URL", "mysql://host/name"), ("TURN_URLS", "stun:host:3478"),
        ("LOG_LEVEL", "loud"), ("DATA_DIR", ""), ("TLS_CERT", "nowhere.pem"),
    ],
)  # fmt: skip
def test_a_malformed_value_is_said(tmp_path, monkeypatch, capsys, name, value):
    """With the setting's name and an example of a good value."""
    monkeypatch.setenv(f"READINESS_{name}", value)
    refused(in_this_process(capsys, "serve"), f"READINESS_{name}")


def test_a_flag_is_named_as_a_flag(tmp_path):
    """Who typed a flag reads about that flag."""
    refused(readiness(tmp_path, "serve", "--port", "http"), "--port")


@pytest.mark.parametrize(
    "url", ["postgresql://readiness:hunter2@127.0.0.1:{port}/none", "sqlite:////nowhere/at/all.db"]
)
def test_a_database_that_does_not_answer_is_said(tmp_path, url):
    """Without its password."""
    line = refused(readiness(tmp_path, "serve", DATABASE_URL=url.format(port=free_port())), "READINESS_DATABASE_URL")
    assert "hunter2" not in line


def test_a_refused_database_is_one_sentence_with_its_cause(tmp_path):
    """What did not answer and why, not the name of an exception."""
    port = free_port()
    url = f"postgresql://readiness:hunter2@127.0.0.1:{port}/none"
    line = refused(readiness(tmp_path, "serve", DATABASE_URL=url), f"127.0.0.1:{port}/none", "Connection refused")
    assert "Error" not in line
    (tmp_path / "not.db").write_bytes(b"no database at all" * 100)
    refused(readiness(tmp_path, "serve", DATABASE_URL=f"sqlite:///{tmp_path}/not.db"), "not.db", "not a database")


def test_a_command_never_makes_a_folder_of_its_own(tmp_path, monkeypatch, capsys):
    """Run from anywhere without the server's folder it says so, with a key to find or a database to name."""
    monkeypatch.chdir(tmp_path)
    organisation = ["organisation", "--slug", "a", "--name", "A", "--support-phone", "112"]
    for command in (organisation, ["support-link", "--organisation", "a", "--revoke"], ["key"]):
        refused(in_this_process(capsys, *command), "READINESS_DATA_DIR", str(tmp_path / ".data"))
    url = f"postgresql://readiness@127.0.0.1:{free_port()}/none"
    refused(in_this_process(capsys, *organisation, "--database-url", url), "READINESS_SECRET_KEY")
    assert not list(tmp_path.iterdir())
    made = in_this_process(capsys, *organisation, "--data-dir", str(tmp_path / "data"))
    assert made.stdout == f"saved a in {tmp_path / 'data' / 'readiness.sqlite3'}\n"


def test_a_server_and_commands_refuse_another_machines_database(tmp_path, capsys):
    """Both name the two keys; `key` shows them, and takes this machine's where the other is lost."""
    organisation = ["organisation", "--slug", "a", "--name", "A", "--support-phone", "112"]
    first, second = ("--data-dir", str(tmp_path / "1")), ("--data-dir", str(tmp_path / "2"))
    shared = ("--database-url", f"sqlite:///{tmp_path}/shared.db")
    in_this_process(capsys, *organisation, *first, *shared)
    _, _, first_key, _, _, stored = in_this_process(capsys, "key", *first, *shared).stdout.split()
    assert first_key == stored
    for command in (["serve", "--port", "0"], organisation):
        refused(in_this_process(capsys, *command, *second, *shared), "READINESS_SECRET_KEY", first_key, "secret.key")
    assert in_this_process(capsys, "key", *second, *shared).returncode == 1
    assert in_this_process(capsys, "key", "--replace", *second, *shared).returncode == 0
    assert in_this_process(capsys, *organisation, *second, *shared).returncode == 0
    refused(in_this_process(capsys, *organisation, *first, *shared), "READINESS_SECRET_KEY", first_key)


def test_a_missing_flag_is_one_line(capsys):
    """It names the flag and where to read more, not every option there is."""
    with pytest.raises(SystemExit) as ended:
        main(["meeting", "--organisation", "a"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == "readiness: the following arguments are required: --starts; see `readiness meeting --help`\n"


def test_a_secret_comes_from_a_file(tmp_path):
    """NAME_FILE is read, a missing file is said, and both at once are refused; the secret itself is never shown."""
    secret = tmp_path / "turn-secret"
    secret.write_text("hunter2\n")
    turn = {"TURN_URLS": "turn:127.0.0.1:3478", "TURN_SECRET_FILE": str(secret)}
    key = {"SECRET_KEY_FILE": str(secret)}
    with serving(tmp_path / "good", "--demo", LOG_LEVEL="debug", **turn, **key) as server:
        assert "hunter2" not in server.log
    assert not (tmp_path / "good" / "data" / "secret.key").exists(), "no key is made where one was given"
    refused(readiness(tmp_path, "serve", TURN_SECRET_FILE=str(tmp_path / "none")), "READINESS_TURN_SECRET_FILE", "none")
    line = refused(readiness(tmp_path, "serve", **turn, TURN_SECRET="hunter3"), "READINESS_TURN_SECRET")
    assert "hunter" not in line


def test_settings_that_contradict_each_other_are_refused(tmp_path):
    """Each names the setting to change."""
    cert, _ = certificate(tmp_path)
    cases: list[tuple[dict[str, str], Sequence[str]]] = [
        ({"TRUSTED_PROXIES": "127.0.0.1"}, ["READINESS_MEDIA_ADDRESSES", "READINESS_TRUSTED_PROXIES"]),
        ({"WORKERS": "2", "PORT": "8080"}, ["READINESS_WORKERS", "READINESS_DATABASE_URL"]),
        ({"WORKERS": "2", "DATABASE_URL": "sqlite:///x.db"}, ["READINESS_WORKERS", "READINESS_DATABASE_URL"]),
        ({"WORKERS": "2", "DATABASE_URL": "postgresql://h/n"}, ["READINESS_PORT"]),
        ({"TLS_CERT": str(cert)}, ["READINESS_TLS_CERT", "READINESS_TLS_KEY"]),
        ({"TLS_CERT": str(cert), "TLS_KEY": str(cert)}, ["READINESS_TLS_CERT"]),
        ({"TURN_URLS": "turn:127.0.0.1:3478"}, ["READINESS_TURN_SECRET"]),
    ]
    for settings, names in cases:
        refused(readiness(tmp_path, "serve", **settings), *names)


def test_a_demo_on_a_public_address_needs_force(tmp_path):
    """Its links let anybody in."""
    settings = {"PUBLIC_URL": "https://ready.example"}
    refused(readiness(tmp_path, "serve", "--demo", **settings), "READINESS_PUBLIC_URL", "--force")
    with serving(tmp_path, "--demo", "--force", **settings) as server:
        links = {name: link for name, link in server.links.items() if name.endswith("_url")}
        assert set(server.links) - set(links) == {"room_code"}
        assert all(link.startswith("https://ready.example") for link in links.values())


async def test_one_json_line_when_it_serves_and_fresh_links_each_time(tmp_path):
    """The line is the only output; every address in it answers at once; the next start gives other links."""
    seen = []
    for _ in range(2):
        with serving(tmp_path, "--demo") as server:
            assert set(server.links) == LINKS
            async with aiohttp.ClientSession() as http:
                for link in (link for name, link in server.links.items() if name.endswith("_url")):
                    async with http.get(link) as response:
                        assert response.status == 200, link
                        assert "<html" in await response.text()
            for link in (server.links["selftest_url"], ""):
                async with participant(server.base, link) as anna:
                    assert (await anna.begin())["done"] == []
            print(f"served after {server.started_s:.1f} s")
            seen.append(server.links)
            assert server.stop() == 0
            assert server.process.stdout is not None
            assert server.process.stdout.read() == ""
            assert "Traceback" not in server.log
    first, second = seen
    assert first["selftest_url"].partition("#")[2] != second["selftest_url"].partition("#")[2]
    assert first["board_url"].partition("#")[2] != second["board_url"].partition("#")[2]
    assert len(first["selftest_url"].partition("#")[2]) == 43


def test_without_json_the_addresses_are_for_people(tmp_path):
    """One address a line, with what it is."""
    with subprocess.Popen(
        [sys.executable, "-m", "readiness", "serve", "--demo"],
        cwd=ROOT, env=settings_env(tmp_path, {}), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(10)]
        finally:
            process.terminate()
            assert process.wait(TOO_LATE_S) == 0
    assert [line.split("http://")[0].strip() for line in lines[:7]] == [
        "Readiness serves at", "Demo self-test", "Demo leader's board", "Demo organiser's pages",
            "Demo support page", "Drop-in test", "Demo meeting rooms",
    ]  # fmt: skip
    assert re.fullmatch(r"Code of the demo room +[0-9A-Z]{4}-[0-9A-Z]{4}\n", lines[7])
    assert lines[8].startswith("Demo sign-in of staff ")
    assert "Ctrl-C" in lines[9]


async def test_a_direct_start_with_tls(tmp_path):
    """It answers https with HSTS, the socket works over wss, and the cookie is a __Host- cookie."""
    cert, key = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(cert))
    with serving(tmp_path, "--demo", TLS_CERT=str(cert), TLS_KEY=str(key)) as server:
        assert server.base.startswith("https://127.0.0.1:")
        async with participant(server.base, server.links["selftest_url"], ssl=trust) as anna:
            async with anna.http.get(server.base, ssl=trust) as response:
                assert response.status == 200
                assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000")
            assert [cookie.key[:10] for cookie in anna.http.cookie_jar] == ["__Host-rd-"]
            await anna.begin()
            await anna.send("devices", "final", PRESENT)
            assert (await anna.finish())["cause"] is None
        await let_go({"ssl": trust})
        assert server.stop() == 0


async def test_organisation_and_meeting_print_links_that_work(tmp_path):
    """Made while no server runs; each link then opens its own page and session."""
    port = str(free_port())
    settings = {"PUBLIC_URL": f"http://127.0.0.1:{port}"}
    made = readiness(
        tmp_path, "organisation", "--slug", "sunnaas", "--name", "Sunnaas sykehus", "--support-phone", "66 96 90 00",
        **settings,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    printed = readiness(
        tmp_path, "meeting", "--organisation", "sunnaas", "--starts", "2030-01-01T10:00", "--title", "Kontroll",
        "--people", "patient:Anna,relative:Per", **settings,
    )  # fmt: skip
    assert printed.returncode == 0, printed.stderr
    links = dict(line.rsplit(maxsplit=1) for line in printed.stdout.splitlines())
    assert [name.strip() for name in links] == ["Anna", "Per", "leader"]
    assert ["/t#" in link for link in links.values()] == [True, True, False]
    assert all(link.startswith(f"http://127.0.0.1:{port}/o/sunnaas/") for link in links.values())
    with serving(tmp_path, PORT=port, **settings) as server:
        assert set(server.links) == {"base_url"}
        for link in links.values():
            async with participant(server.base, link) as person, person.http.get(link) as response:
                text = await response.text()
                assert response.status == 200
                assert "Sunnaas sykehus" in text
                assert "66\N{NO-BREAK SPACE}96\N{NO-BREAK SPACE}90\N{NO-BREAK SPACE}00" in text
                if "/t#" in link:
                    assert (await person.begin())["ask"]["expected_people"] == 1


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["organisation", "--slug", "Å", "--name", "A", "--support-phone", "112"], "--slug"),
        (["organisation", "--slug", "a", "--name", "A", "--support-phone", "112", "--languages", "se"], "--languages"),
        (["organisation", "--slug", "a", "--name", "A", "--support-phone", "1"], "--support-phone"),
        (["organisation", "--slug", "a", "--name", "A"], "--support-phone"),
        (["organisation", "--slug", "a", "--time-zone", "Mars"], "--time-zone"),
        (["meeting", "--organisation", "none", "--starts", "2030-01-01T10:00"], "--organisation"),
        (["meeting", "--organisation", "a", "--starts", "tomorrow"], "--starts"),
        (["meeting", "--organisation", "a", "--starts", "2030-01-01"], "--starts"),
        (["meeting", "--organisation", "a", "--starts", "2030-01-01+01:00"], "--starts"),
        (["meeting", "--organisation", "a", "--starts", "01.02.2030"], "--starts"),
        (["meeting", "--organisation", "a", "--starts", "2030-01-01T10:00", "--minutes", "0"], "--minutes"),
        (["meeting", "--organisation", "a", "--starts", "2030-01-01T10:00", "--people", "king:Harald"], "--people"),
        (["meeting", "--organisation", "a", "--starts", "2030-01-01T10:00", "--people", ""], "--people"),
    ],
)  # fmt: skip
def test_what_cant_be_made_is_said(tmp_path, monkeypatch, capsys, arguments, name):
    """One line that names the flag."""
    monkeypatch.setenv("READINESS_PUBLIC_URL", "https://ready.example")
    monkeypatch.setenv("READINESS_DATA_DIR", str(tmp_path))
    refused(in_this_process(capsys, *arguments), name)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--organisation", "none"], "--organisation"),
        (["--organisation", "none", "--revoke"], "--organisation"),
        (["--organisation", "none", "--days", "0"], "--days"),
        (["--organisation", "none", "--days", "367"], "--days"),
        (["--organisation", "none", "--days", "99999999999"], "--days"),
    ],
)  # fmt: skip
def test_a_support_link_that_cant_be_made_is_said(tmp_path, monkeypatch, capsys, arguments, name):
    """One line that names the flag."""
    monkeypatch.setenv("READINESS_PUBLIC_URL", "https://ready.example")
    monkeypatch.setenv("READINESS_DATA_DIR", str(tmp_path))
    refused(in_this_process(capsys, "support-link", *arguments), name)


def test_a_support_link_is_printed_and_closed(tmp_path, monkeypatch, capsys):
    """One line with the link, its token in the fragment; closing says how many there were."""
    monkeypatch.setenv("READINESS_DATA_DIR", str(tmp_path))
    in_this_process(capsys, "organisation", "--slug", "a", "--name", "A", "--support-phone", "112")
    refused(in_this_process(capsys, "support-link", "--organisation", "a"), "READINESS_PUBLIC_URL")
    monkeypatch.setenv("READINESS_PUBLIC_URL", "https://ready.example")
    links = [in_this_process(capsys, "support-link", "--organisation", "a").stdout.strip() for _ in range(2)]
    assert len(set(links)) == 2
    assert all(re.fullmatch(r"https://ready\.example/o/a/support#[\w-]{43}", link) for link in links)
    for left in (2, 0):
        assert in_this_process(capsys, "support-link", "--organisation", "a", "--revoke").stdout == f"closed {left}\n"


def test_a_meeting_without_a_public_address_is_refused(tmp_path):
    """Its links would lead nowhere."""
    arguments = ["meeting", "--organisation", "a", "--starts", "2030-01-01T10:00"]
    refused(readiness(tmp_path, *arguments), "READINESS_PUBLIC_URL")


def test_help_and_version(tmp_path):
    """Every setting is in the server's help with its variable; another command's shows its own options and three."""
    from readiness.settings import SETTINGS

    assert readiness(tmp_path, "--version").stdout.strip() == f"readiness {__version__}"
    shown = readiness(tmp_path, "serve", "--help").stdout
    for setting in SETTINGS:
        assert setting.flag in shown
        assert setting.variable in " ".join(shown.split())
    shown = readiness(tmp_path, "meeting", "--help").stdout
    assert {"--starts", "--people", "--data-dir", "--database-url", "--public-url"} <= set(
        re.findall(r"--[a-z-]+", shown)
    )
    assert "--turn-urls" not in shown
    assert "readiness serve --help" in " ".join(shown.split())
