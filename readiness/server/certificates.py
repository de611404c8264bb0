"""The certificate of a server that terminates TLS itself: loaded, watched, and replaced while the server runs.

New connections get a renewed certificate; open ones continue with the old one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from readiness.errors import SettingError
from readiness.logs import log_event
from readiness.settings import Settings

__all__ = ["LOOK_EVERY_S", "Certificate"]

log = logging.getLogger(__name__)
LOOK_EVERY_S = 10.0
"""Polling interval. A change counts once it is unchanged at the next poll, since a pair is written in two steps."""
SOON_DAYS = 14
"""Days before its end from which a certificate is reported once a day, a quarter of its life if that is less.

certbot renews at 30."""
_Stamp = tuple[tuple[int, int, int], ...]
"""Inode, size and modification time of each file, with symbolic links resolved."""


class Certificate:
    """A certificate chain and key in files, and the TLS context that serves them."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Load the pair. Raises SettingError if it can't be used."""
        self.context = _empty_context()
        self._current = self.context
        self.context.sni_callback = self._show
        self._cert = cert
        self._key = key
        self._tried = self._seen = self._stamp()
        self._until, self._soon_days = datetime.max.replace(tzinfo=UTC), SOON_DAYS
        self._begins: datetime | None = None
        """When the pair on disk becomes valid, if it was refused because it was not yet."""
        self._told_left: int | None = None
        try:
            self._load()
        except _UNUSABLE as error:
            raise SettingError(f"READINESS_TLS_CERT: certificate and key can't be used: {_reason(error)}") from None

    @classmethod
    def of(cls, settings: Settings) -> Certificate | None:
        """Return the certificate that `settings` name, or None for a start without TLS."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        return cls(settings.tls_cert, settings.tls_key)

    async def keep_fresh(self) -> None:
        """Watch the files for as long as the server runs."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Serve the files' present content if they changed and then stayed the same since the last poll.

        Says once a day that the certificate ends soon, or has ended: browsers refuse the page from then on.
        """
        stamp = self._stamp()
        settled, self._seen = stamp == self._seen, stamp
        has_begun = self._begins is not None and datetime.now(UTC) >= self._begins
        if settled and (stamp != self._tried or has_begun):
            self.reload()
        left = (self._until - datetime.now(UTC)).days
        if left < self._soon_days and left != self._told_left:
            self._told_left = left
            name, level = ("tls.ended", logging.ERROR) if left < 0 else ("tls.ends_soon", logging.WARNING)
            log_event(log, level, name, days_left=left)

    def reload(self) -> bool:
        """Serve the files' present content. If the pair can't be used, log the reason and keep the old one."""
        self._tried = self._seen = self._stamp()
        try:
            days_left = self._load()
        except _UNUSABLE as error:
            reason = _reason(error)
            log_event(
                log,
                logging.ERROR,
                "tls.kept_old",
                text=f"The new certificate and key can't be used, so the old ones are still served: {reason}.",
            )
            return False
        log_event(log, logging.WARNING, "tls.reloaded", days_left=days_left)
        return True

    def _show(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        """Give a new connection the present pair; OpenSSL asks at each hello, also where no server is named."""
        connection.context = self._current

    def _stamp(self) -> _Stamp | None:
        """Return a value that identifies the state of the files, or None while one is missing."""
        try:
            stats = [path.stat() for path in (self._cert, self._key)]
        except OSError:
            return None
        return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in stats)

    def _load(self) -> int:
        """Serve the pair and return its remaining validity, days. Raises one of `_UNUSABLE`, and then changes nothing.

        Reads both files once, into a context of their own: one that is in use would have the new certificate and the
        old key for a moment, and for good if the two don't match. A pair that has expired, or is not valid yet, never
        replaces a valid one.
        """
        self._begins = None
        chain, key = self._cert.read_bytes(), self._key.read_bytes()
        own, now = x509.load_pem_x509_certificates(chain)[0], datetime.now(UTC)
        begins, until = own.not_valid_before_utc, own.not_valid_after_utc
        if now < self._until < datetime.max.replace(tzinfo=UTC) and not begins <= now < until:
            self._begins = begins if begins > now else None
            raise ValueError(f"it is valid from {begins:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC")
        loaded = _empty_context()
        with _as_file(chain) as chain_path, _as_file(key) as key_path:
            loaded.load_cert_chain(chain_path, key_path, password=_no_password)
        self._current = loaded
        self._until, self._soon_days = until, min(SOON_DAYS, (until - begins).days // 4)
        return (until - now).days


_UNUSABLE = (ssl.SSLError, OSError, ValueError)


def _reason(error: Exception) -> str:
    """Return the reason in OpenSSL's or the system's words, without our in-memory path."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _empty_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _no_password() -> str:
    raise ValueError("the key is locked with a password; a server that starts by itself needs one without")


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Give `content` a path for OpenSSL without writing a key to a disk. Linux; elsewhere through a pipe."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("tls", os.MFD_CLOEXEC)
        try:
            os.write(fd, content)
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)
        return
    reading, writing = os.pipe()  # pragma: no cover - macOS
    try:
        os.write(writing, content)
        os.close(writing)
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
