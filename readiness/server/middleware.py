"""Around every request: an id, the caller's limits, one envelope for errors, and the same strict headers on all."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

from readiness.access.origin import refuse_cross_site
from readiness.errors import InputError, LimitError, ReadinessError, Unavailable
from readiness.logs import log_event, request_id
from readiness.server.services import SERVICES, caller
from readiness.server.speedtest import BODIES
from reports.store import StoreUnavailable

__all__ = ["POLICY", "answer_malformed_ourselves", "error_response", "guard", "set_security_headers"]

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_TIMEOUT_S = 10.0
"""A request's handler must have its answer by then; streams (socket, events, speed test) are exempt."""
STREAMS = frozenset({"/api/v1/session"})
POLICY = web.ResponseKey("policy", str)
"""On a response that needs a narrower or another Content-Security-Policy than every page's."""
BARE_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""Where the browser's own name for us is not known."""
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), display-capture=()",
    "Server": "readiness",
}


def policy(socket_origin: str) -> str:
    """Return the Content-Security-Policy for a page opened under the host of `socket_origin`."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        f"connect-src 'self' {socket_origin}; worker-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types readiness-worker; report-uri /api/v1/csp-reports"
    )


async def set_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers of trust requirement WEB-1 on every response, errors and static files included."""
    headers = response.headers
    try:
        who = caller(request)
        headers["Content-Security-Policy"] = response.get(POLICY) or policy(who.socket_origin)
        if who.is_secure:
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    except InputError:
        headers["Content-Security-Policy"] = BARE_POLICY
    headers.update(ALWAYS)
    headers.setdefault("Cache-Control", "no-store")


def answer_malformed_ourselves() -> None:
    """Let what is no HTTP request be answered like everything else: by code, with our headers, without its own bytes.

    aiohttp answers such requests before any middleware, names itself and logs the sender's address as an error.
    """
    web.RequestHandler.handle_error = _refuse_malformed  # type: ignore[assignment]


def _refuse_malformed(
    _handler: web.RequestHandler,
    request: web.BaseRequest,
    status: int = 500,
    exc: BaseException | None = None,
    message: str | None = None,  # noqa: ARG001 - quotes the request
) -> web.StreamResponse:
    if request.writer.output_size > 0:
        raise ConnectionError("the answer has begun already")
    if status >= 500:  # noqa: PLR2004
        log.error("request.failed", exc_info=exc)
    headers = ALWAYS | {"Content-Security-Policy": BARE_POLICY, "Cache-Control": "no-store"}
    code = f"http.{status}"
    response = web.json_response({"error": {"code": code, "message": code}}, status=status, headers=headers)
    response.force_close()
    return response


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:  # noqa: PLR0911 - one way out for each error
    """Give the request an id, refuse cross-site changes, and turn every error into the one envelope."""
    token = request_id.set(secrets.token_hex(8))
    try:
        services = request.app[SERVICES]
        refuse_cross_site(request, caller(request), services.settings.public_url)
        if request.path in STREAMS or request.path.endswith("/events") or request.path.startswith(BODIES):
            return await handler(request)
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await handler(request)
    except ReadinessError as error:
        return error_response(request, error)
    except TimeoutError:
        return error_response(request, InputError("request.timeout"), status=408)
    except StoreUnavailable:
        log_event(log, logging.ERROR, "store.unavailable", method=request.method)
        return error_response(request, Unavailable("store.unavailable", retry_after_s=5))
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004 - redirects pass
            raise
        response = error_response(request, InputError(f"http.{error.status}"), status=error.status)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except ConnectionError:  # the browser is gone: nobody to answer, nothing went wrong
        raise
    except Exception:
        log.exception("request.failed")
        return error_response(request, ReadinessError("internal"))
    finally:
        request_id.reset(token)


def error_response(request: web.Request, error: ReadinessError, *, status: int | None = None) -> web.StreamResponse:
    """Return `error` as JSON, or as a page with the support phone where a browser asked for a page."""
    from readiness.server.pages import error_page  # noqa: PLC0415 - pages need this module's neighbours

    code = status or error.status
    headers = {}
    if isinstance(error, LimitError | Unavailable) or error.retry_after_s:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s or 5)))
    if not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", ""):
        return error_page(request, error, status=code, headers=headers)
    said = {"code": error.code, "message": error.code} | ({"field": error.field} if error.field else {})
    return web.json_response({"error": said}, status=code, headers=headers)
