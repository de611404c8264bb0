"""Settings: one table, read once from flags and ``READINESS_*`` variables, refused when unknown or malformed.

`SETTINGS` is the only list: the command line, its help and the README's table come from it (a test compares them).
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from readiness import outgoing
from readiness.addressed import listening_host, public_origin, reachable
from readiness.errors import SettingError
from readiness.kubernetes import is_injected

__all__ = ["SETTINGS", "MediaAddress", "Network", "Secret", "Setting", "Settings", "load_settings", "prepare_folder"]

PREFIX = "READINESS_"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
HIGHEST_PORT = 65535
FIRST_FREE_PORT = 1024
MOST_WORKERS = 64
MOST_TESTS = 1000
MOST_MONTHS = 120
DEFAULT_SMS_BODY = '{"to": "{to}", "text": "{text}"}'
MIN_PORT_RANGE = 4
"""A self-test takes one port for each address; fewer would not even do for the warm workers."""


class Secret(str):
    """A string that never prints itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return stars."""
        return "Secret('***')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Return stars in f-strings too."""
        return format(repr(self), spec)

    def reveal(self) -> str:
        """Return the plain value, at the place that needs it."""
        return str.__str__(self)


@dataclass(frozen=True, slots=True)
class MediaAddress:
    """One address for media: the one in the SDP answer, and the one that the worker binds to (1:1 NAT)."""

    public: str
    local: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name, reader, default and help text."""

    name: str
    read: Callable[[str], Any]
    default: str
    help: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """Return the name of the environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """Return the command line flag."""
        return "--" + self.name.replace("_", "-")


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= HIGHEST_PORT:
        raise ValueError("a port is a number from 0 to 65535")
    return int(text)


def _whole(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise ValueError(f"a whole number from 1 to {most}")
        return int(text)

    return read


def _path(text: str) -> Path:
    if not text:
        raise ValueError("a path")
    return Path(text).expanduser()


def _optional_path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text.strip().strip("[]")))


def _media_addresses(text: str) -> tuple[MediaAddress, ...]:
    pairs = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        public, _, local = item.partition("=")
        pairs.append(MediaAddress(public=reachable(public), local=_address(local or public)))
    return tuple(pairs)


def _media_ports(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if not match:
        raise ValueError("a range such as 50000-50199")
    low, high = int(match[1]), int(match[2])
    if not FIRST_FREE_PORT <= low <= high <= HIGHEST_PORT or high - low + 1 < MIN_PORT_RANGE:
        raise ValueError(f"a range within 1024-65535 with at least {MIN_PORT_RANGE} ports")
    return low, high


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def _database(text: str) -> Secret:
    if text and not re.match(r"^(sqlite|postgresql)(\+\w+)?://", text):
        raise ValueError("sqlite:///path or postgresql://user:password@host/name")
    return Secret(text)


def _turn_urls(text: str) -> tuple[str, ...]:
    urls = tuple(part.strip() for part in text.split(",") if part.strip())
    for url in urls:
        if not re.fullmatch(r"turns?:[A-Za-z0-9.:\[\]_-]+(\?transport=(udp|tcp))?", url):
            raise ValueError("turn:host:3478?transport=udp or turns:host:443?transport=tcp, with commas between")
    return urls


def _speedtest(text: str) -> str:
    if text not in {"auto", "on", "off"}:
        raise ValueError("auto, on or off")
    return text


def _log_level(text: str) -> str:
    if text not in {"debug", "info", "warning", "error"}:
        raise ValueError("debug, info, warning or error")
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting("host", listening_host, "127.0.0.1", "address to listen on; 0.0.0.0 for all"),
    Setting("port", _port, "8080", "port to listen on; 0 takes a free one"),
    Setting("data_dir", _path, ".data", "folder of the embedded database and the keys"),
    Setting(
        "public_url", public_origin, "", "address that links are made with; empty: whatever the page was opened as"
    ),
    Setting("database_url", _database, "", "PostgreSQL or SQLite; empty: SQLite in the data folder", secret=True),
    Setting("workers", _whole(MOST_WORKERS), "1", "server processes; more than one needs PostgreSQL"),
    Setting(
        "capacity", _whole(MOST_TESTS), "12", "self-tests at a time on this machine; the next one waits in a queue"
    ),
    Setting("media_addresses", _media_addresses, "", "addresses of the media answer, each public[=local], with commas"),
    Setting("media_ports", _media_ports, "", "UDP ports for media, such as 50000-50199; empty: any free port"),
    Setting("trusted_proxies", _networks, "", "proxies whose X-Forwarded headers count, addresses or networks"),
    Setting("turn_urls", _turn_urls, "", "TURN servers to offer as a way round firewalls, with commas"),
    Setting("turn_secret", Secret, "", "secret shared with the TURN server (coturn: static-auth-secret)", secret=True),
    Setting(
        "speedtest",
        _speedtest,
        "auto",
        "full speed test: on, off, or auto: for all while there is no public URL, then for self-tests only",
    ),
    Setting("secret_key", Secret, "", "key for phone numbers at rest; empty: made in the data folder", secret=True),
    Setting("tls_cert", _optional_path, "", "certificate chain (PEM) for a direct start with TLS"),
    Setting("tls_key", _optional_path, "", "private key (PEM) for a direct start with TLS"),
    Setting(
        "smtp_url",
        lambda text: Secret(outgoing.smtp_url(text)),
        "",
        "mail server, smtp[s]://user:password@host:port[?starttls]",
        secret=True,
    ),
    Setting("mail_from", outgoing.mail_from, "", "address that mail comes from; needed with a mail server"),
    Setting("mail_ca", outgoing.authorities, "", "certificates (PEM) of your own authority, for the mail server"),
    Setting(
        "sms_url",
        lambda text: Secret(outgoing.sms_url(text)),
        "",
        "address of the SMS gateway; {to} and {text} may stand in its query",
        secret=True,
    ),
    Setting("sms_method", outgoing.sms_method, "POST", "how the SMS gateway is asked: GET, POST or PUT"),
    Setting(
        "sms_body",
        str,
        DEFAULT_SMS_BODY,
        "what the SMS gateway is sent: JSON, XML, or a form such as to={to}&text={text}",
    ),
    Setting(
        "sms_headers",
        lambda text: Secret(outgoing.header_lines(text)),
        "",
        "headers for the SMS gateway, one a line, such as its key",
        secret=True,
    ),
    Setting(
        "sms_success",
        outgoing.pattern,
        "",
        "what the gateway's answer must match (regular expression); empty: any that reports no failure",
    ),
    Setting("sms_ca", outgoing.authorities, "", "certificates (PEM) of your own authority, for the SMS gateway"),
    Setting(
        "voices_dir",
        _optional_path,
        "",
        "folder with recordings of the spoken digits of your own; `readiness voices check` judges them",
    ),
    Setting("sign_in", _optional_path, "", "TOML file: where staff sign in, and what their claims are worth here"),
    Setting("audit_months", _whole(MOST_MONTHS), "24", "how many months the audit log keeps who did what"),
    Setting("log_level", _log_level, "info", "debug, info, warning or error"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a server. Prints itself without secrets."""

    host: str
    port: int
    data_dir: Path
    public_url: str
    database_url: Secret
    workers: int
    capacity: int
    media_addresses: tuple[MediaAddress, ...]
    media_ports: tuple[int, int] | None
    trusted_proxies: tuple[Network, ...]
    turn_urls: tuple[str, ...]
    turn_secret: Secret
    speedtest: str
    secret_key: Secret
    tls_cert: Path | None
    tls_key: Path | None
    smtp_url: Secret
    mail_from: str
    mail_ca: Path | None
    sms_url: Secret
    sms_method: str
    sms_body: str
    sms_headers: Secret
    sms_success: str
    sms_ca: Path | None
    voices_dir: Path | None
    sign_in: Path | None
    audit_months: int
    log_level: str

    @property
    def database(self) -> str:
        """Return the database's URL, by default that of the embedded one."""
        return self.database_url.reveal() or f"sqlite:///{self.embedded_file}"

    @property
    def embedded_file(self) -> Path:
        """Return the file of the embedded database."""
        return self.data_dir / "readiness.sqlite3"

    @property
    def database_shown(self) -> str:
        """Return the database's URL without user and password."""
        parts = urlsplit(self.database)
        if self.is_embedded:
            return str(Path(parts.path.removeprefix("/")).absolute())
        return parts.netloc.rpartition("@")[2] + parts.path

    @property
    def speedtest_for_all(self) -> bool:
        """Return whether anybody may run a speed test; `auto` allows it without a public address, as in a trial."""
        return self.speedtest == "on" or (self.speedtest == "auto" and not self.public_url)

    @property
    def is_embedded(self) -> bool:
        """Return whether the database is a file on this machine."""
        return self.database.startswith("sqlite")


def load_settings(environ: Mapping[str, str] | None = None, flags: Mapping[str, str | None] | None = None) -> Settings:
    """Read the settings. A flag wins over a variable. Raises SettingError with one clear line."""
    environ = os.environ if environ is None else environ
    environ = {name: value for name, value in environ.items() if not is_injected(name, value)}
    flags = flags or {}
    _refuse_unknown(environ)
    values = {setting.name: _value(setting, environ, flags.get(setting.name)) for setting in SETTINGS}
    settings = Settings(**values)
    _refuse_contradictions(settings)
    _refuse_untellable(settings)
    return settings


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {setting.variable for setting in SETTINGS}
    known |= {setting.variable + "_FILE" for setting in SETTINGS if setting.secret}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingError(f"unknown setting {unknown[0]}; `readiness serve --help` lists those there are")


def _value(setting: Setting, environ: Mapping[str, str], flag: str | None) -> Any:
    where, text = setting.variable, environ.get(setting.variable, setting.default)
    file_name = environ.get(setting.variable + "_FILE", "") if setting.secret else ""
    if file_name:
        if setting.variable in environ:
            raise SettingError(f"both {where} and {where}_FILE are set; keep one")
        where, text = where + "_FILE", _read_secret(where + "_FILE", file_name)
    if flag is not None:
        where, text = setting.flag, flag
    try:
        return setting.read(text)
    except ValueError as error:
        shown = "" if setting.secret else f" {text!r}"
        raise SettingError(f"{where}:{shown} can't be used: {error}") from None


def _read_secret(variable: str, file_name: str) -> str:
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{variable}: can't read {file_name!r}: {getattr(error, 'strerror', error)}") from None


def _refuse_contradictions(settings: Settings) -> None:
    if settings.workers > 1 and settings.is_embedded:
        raise SettingError("READINESS_WORKERS: more than one process needs READINESS_DATABASE_URL on PostgreSQL")
    if settings.workers > 1 and settings.port == 0:
        raise SettingError("READINESS_PORT: several processes need a fixed port, not 0")
    if settings.trusted_proxies and not settings.media_addresses:
        raise SettingError(
            "READINESS_MEDIA_ADDRESSES: behind a proxy (READINESS_TRUSTED_PROXIES) the server can't see which address "
            "browsers reach it at; set the address that media should go to"
        )
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise SettingError("READINESS_TLS_CERT and READINESS_TLS_KEY go together; one is missing")
    for name, path in (("TLS_CERT", settings.tls_cert), ("TLS_KEY", settings.tls_key)):
        if path and not path.is_file():
            raise SettingError(f"READINESS_{name}: there is no file {str(path)!r}")
    if settings.turn_urls and not settings.turn_secret:
        raise SettingError("READINESS_TURN_SECRET: a TURN server needs the secret that it shares with this one")
    if settings.smtp_url and not settings.mail_from:
        raise SettingError("READINESS_MAIL_FROM: a mail server needs the address that mail comes from")
    if sys.platform == "win32":
        raise SettingError("the server runs on Linux and macOS; on Windows use WSL")


def _refuse_untellable(settings: Settings) -> None:
    """Refuse settings under which a gateway's requests would lack the number or the text."""
    if settings.sms_url or settings.sms_body != DEFAULT_SMS_BODY:
        sms = (settings.sms_url.reveal(), settings.sms_method, settings.sms_body, settings.sms_headers.reveal())
        if found := outgoing.sms_contradiction(*sms):
            raise SettingError(f"READINESS_{found[0]}: {found[1]}")


def prepare_folder(settings: Settings) -> None:
    """Create the data folder if it is missing, and try to write in it. Raises SettingError if that fails."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        trial = folder / f".write-{os.getpid()}"
        trial.write_bytes(b"")
        trial.unlink()
    except OSError as error:
        told = f"READINESS_DATA_DIR: can't write to {str(folder)!r}: {error.strerror}"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            told += "; make room there, or name a folder on another disk, and start again"
        raise SettingError(told) from None
