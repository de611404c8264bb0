"""The Content-Security-Policy of pages, and of everything else that is sent."""

from __future__ import annotations

from aiohttp import web

__all__ = ["BARE_POLICY", "POLICY", "policy"]

POLICY = web.ResponseKey("policy", str)
"""Set on a response that needs a Content-Security-Policy other than every page's."""
BARE_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""Used where the browser's own name for us is unknown, and of what opens nothing by itself."""


def policy(socket_origin: str) -> str:
    """Return the Content-Security-Policy for a page opened under the host of `socket_origin`."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        f"connect-src 'self' {socket_origin}; worker-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types readiness-worker; report-uri /api/v1/csp-reports"
    )
