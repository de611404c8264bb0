"""TLS to the servers that send for us: the meaning of failures."""

from __future__ import annotations

import ssl

from readiness.meetings.delivery import DeliveryError

__all__ = ["tls_trouble"]


def tls_trouble(error: BaseException | None) -> DeliveryError | None:
    """Return the code for an error of TLS anywhere in the chain of causes, or None."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return DeliveryError("certificate", detail=getattr(error, "verify_message", ""))
        if isinstance(error, ssl.SSLError):
            return DeliveryError("encryption", detail=error.reason or "")
        error = error.__cause__ or error.__context__
    return None
