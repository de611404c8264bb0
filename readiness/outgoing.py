"""Readers of the mail and SMS settings: refuse at start, in one line, anything that could never be sent.

And whom TLS to other servers trusts.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from readiness.errors import InputError
from readiness.sms_template import body_form, missing_in

__all__ = [
    "authorities",
    "header_lines",
    "headers_of",
    "mail_from",
    "pattern",
    "sms_contradiction",
    "sms_method",
    "sms_url",
    "smtp_url",
    "tls_context",
]


def smtp_url(text: str) -> str:
    """Check the address of a mail server. It may hold a password, so the error never quotes it."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and parts.query in {"", "starttls"}
        known = known and not parts.path.strip("/") and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if text and not known:
        raise ValueError("smtp[s]://user:password@host:port, with ?starttls where TLS is a must")
    return text


def mail_from(text: str) -> str:
    """Read the sender's address; a domain with letters beyond ASCII becomes ``xn--``."""
    if not text:
        return ""
    from readiness.reach import clean_mail  # noqa: PLC0415 - keeps commands that send nothing quick

    is_bare = "<" not in text and not text.lower().startswith("mailto:")
    try:
        return clean_mail(text if is_bare else "@")
    except InputError:
        raise ValueError(
            "an address such as video@hospital.example, without a name; before the @ a-z, 0-9 and .-_ only"
        ) from None


def authorities(text: str) -> Path | None:
    """Read the path of a file with certificates (PEM) of the organisation's own authority."""
    if not text:
        return None
    path = Path(text).expanduser()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise ValueError("a file with certificates in PEM, from -----BEGIN CERTIFICATE----- on") from None
    except OSError as error:
        raise ValueError(f"a file that can be read: {error.strerror}") from None
    return path


def sms_url(text: str) -> str:
    """Check the address of an SMS gateway. It may hold a key, so the error never quotes it."""
    try:
        known = bool(re.match(r"https?://[^/\s]+", text)) and bool(urlsplit(text).hostname)
    except ValueError:
        known = False
    if text and not known:
        raise ValueError("https://gateway.example/send; {to} and {text} may stand in its query")
    if known and any(mark in urlsplit(text).netloc + urlsplit(text).fragment for mark in ("{to}", "{text}")):
        raise ValueError("an address whose path and query only hold {to} and {text}")
    return text


def sms_method(text: str) -> str:
    """Check the HTTP method for a gateway."""
    if text not in {"GET", "POST", "PUT"}:
        raise ValueError("GET, POST or PUT")
    return text


def header_lines(text: str) -> str:
    """Check headers, one on each line."""
    for line in filter(str.strip, text.splitlines()):
        if not re.fullmatch(r"[A-Za-z0-9-]+:[ \t]*[\x20-\x7e]+", line):
            raise ValueError("one header a line, such as Authorization: Bearer secret")
    return text


def headers_of(lines: str) -> Mapping[str, str]:
    """Return the headers in lines that `header_lines` accepted."""
    split = (line.split(":", 1) for line in lines.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, value in split}


def pattern(text: str) -> str:
    """Check a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression: {error}") from None
    return text


def sms_contradiction(url: str, method: str, body: str, headers: str) -> tuple[str, str] | None:
    """Return the wrong setting and the reason if number or text would not reach the gateway unchanged, else None."""
    missing = [mark for mark in ("{to}", "{text}") if mark not in url]
    if method == "GET" and url:
        if missing:
            return "SMS_URL", f"with GET, {' and '.join(missing)} must stand in its path or query"
        return None
    named = next((value for name, value in headers_of(headers).items() if name.lower() == "content-type"), "")
    try:
        body_form(body, named)
        missing = [mark for mark in missing if mark in missing_in(body)]
    except ValueError as error:
        return "SMS_BODY", str(error)
    if missing:
        return "SMS_BODY", f"{' and '.join(missing)} must stand in a value of it, or in READINESS_SMS_URL"
    return None


def tls_context(own: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those in `own` (PEM). Raises OSError or SSLError."""
    context = ssl.create_default_context()
    if own is not None:
        context.load_verify_locations(cafile=own)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # hospitals' own authorities are often made by hand
    return context
