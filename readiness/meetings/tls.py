"""TLS to the servers that send for us: the trusted authorities, and the meaning of failures."""

from __future__ import annotations

import ssl
from pathlib import Path

from readiness.meetings.delivery import DeliveryError

__all__ = ["tls_context", "tls_trouble"]


def tls_context(own: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those in `own` (PEM). Raises OSError or SSLError."""
    context = ssl.create_default_context()
    if own is not None:
        context.load_verify_locations(cafile=own)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # hospitals' own authorities are often made by hand
    return context


def tls_trouble(error: BaseException | None) -> DeliveryError | None:
    """Return the code for an error of TLS anywhere in the chain of causes, or None."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return DeliveryError("certificate", detail=getattr(error, "verify_message", ""))
        if isinstance(error, ssl.SSLError):
            return DeliveryError("encryption", detail=error.reason or "")
        error = error.__cause__ or error.__context__
    return None
