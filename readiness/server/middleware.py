"""Around every request: an id, the caller's limits, one envelope for errors, and the same strict headers on all."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from html import escape

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong

from readiness.access.origin import refuse_cross_site, refuse_foreign_host
from readiness.errors import AccessError, InputError, LimitError, ReadinessError, RequestTimeout, Unavailable
from readiness.logs import log_event, request_id
from readiness.server.policies import BARE_POLICY, POLICY, policy
from readiness.server.services import SERVICES, caller
from readiness.server.strict import is_id, is_plain
from readiness.texts import LANGUAGES, catalogue
from reports.render.languages import TABLE
from reports.store import NotStorable, StoreUnavailable
from reports.store.trail import open_trail

__all__ = ["answer_malformed_ourselves", "error_response", "guard", "set_security_headers"]

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_TIMEOUT_S = 10.0
WORK_TIMEOUT_S = 40.0
"""For work in another process, whose own limits, including the wait for its turn, are shorter."""
WORKED = frozenset(
    {
        "/api/v1/meetings/import",
        "/api/v1/meetings/{meeting}/letters.pdf",
        "/api/v1/boards/{session}/board.pdf",
        "/overview/{session}/overview.pdf",
    }
)
"""A handler must answer within this time; streams (socket, events, speed test) are exempt."""
STREAM = "stream."
"""Name prefixes of routes without a time limit on answer or body; each has limits of its own."""
FREE = frozenset({"name", "organisation"})
"""Path parameters that are not ids: a file's name, and an organisation's short name."""
OUR_HEADERS = ("Idempotency-Key", "Readiness-Session")
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), display-capture=()",
    "Server": "readiness",
}


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
    """Make malformed requests get an answer like all others: a code, our headers, and none of the request's bytes.

    aiohttp would answer them before any middleware, name itself and log the sender's address as an error.
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
    if isinstance(exc, BadHttpMethod):
        status = 405
    if status >= 500:  # noqa: PLR2004
        log.error("request.failed", exc_info=exc)
    headers = ALWAYS | {"Content-Security-Policy": BARE_POLICY, "Cache-Control": "no-store"}
    if isinstance(exc, LineTooLong):  # too many cookies, mostly: a person at a browser reads this
        said = "".join(
            f'<p lang="{code}" dir="{TABLE[code].dir}">{escape(catalogue(code)["error.http.431"])}</p>'
            for code in LANGUAGES
        )
        page = f"<!doctype html><html><head><title>431</title></head><body>{said}</body></html>"
        too_large = web.Response(text=page, content_type="text/html", status=431, headers=headers)
        too_large.force_close()
        return too_large
    code = f"http.{status}"
    response = web.json_response({"error": {"code": code, "message": code}}, status=status, headers=headers)
    response.force_close()
    return response


def _has_work_done(request: web.Request) -> bool:
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical in WORKED


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, refuse cross-site changes, and turn every error into the one envelope."""
    token = request_id.set(secrets.token_hex(8))
    try:
        services = request.app[SERVICES]
        _refuse_encoded(request)
        _refuse_odd_texts(request)
        who = caller(request)
        refuse_foreign_host(request, who, services.settings.public_url)
        refuse_cross_site(request, who, services.settings.public_url)
        with services.door.request(request, who.address):
            if (request.match_info.route.name or "").startswith(STREAM):
                with open_trail(_through(request), request_id.get(), waits=False):
                    return await handler(request)
            async with asyncio.timeout(WORK_TIMEOUT_S if _has_work_done(request) else BODY_TIMEOUT_S):
                return await _logged(request, handler)
    except web.HTTPException as error:
        return await _answer_to_http(request, error)
    except ConnectionError:  # the browser is gone: nobody to answer, nothing went wrong
        raise
    except Exception as error:  # noqa: BLE001 - each becomes an answer, and the unknown a line in the log
        return _answer_to(request, error)
    finally:
        request_id.reset(token)


def _through(request: web.Request) -> str:
    """Return the route as the audit log names it, without anything of the caller's in it."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical}" if resource is not None else ""


async def _logged(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have it logged who looked at what, before the answer leaves; without that there is none."""
    store = request.app[SERVICES].store
    with open_trail(_through(request), request_id.get()):
        try:
            answer = await handler(request)
        except Exception:
            await store.keep_trail()
            raise
        await store.keep_trail()
        return answer


def _answer_to(request: web.Request, error: Exception) -> web.StreamResponse:
    """Return the response to the caller for an error."""
    match error:
        case ReadinessError():
            return error_response(request, error)
        case TimeoutError():
            return error_response(request, RequestTimeout("request.timeout"))
        case NotStorable():
            log_event(log, logging.WARNING, "store.refused_a_value", method=request.method)
            return error_response(request, InputError("request.malformed"))
        case StoreUnavailable():
            log_event(log, logging.ERROR, "store.unavailable", method=request.method)
            return error_response(request, Unavailable("store.unavailable", retry_after_s=5))
    log.error("request.failed", exc_info=error)
    return error_response(request, ReadinessError("internal"))


async def _answer_to_http(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """Return the response to a request without a handler: the page of a mangled link, or the error."""
    if error.status < 400:  # noqa: PLR2004 - redirects pass
        raise error
    if error.status == 404 and (page := await _page_that_is_meant(request)):  # noqa: PLR2004
        return page
    response = error_response(request, InputError(f"http.{error.status}"), status=error.status)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _refuse_odd_texts(request: web.Request) -> None:
    """Reject what no handler should see: names in the path that are not ids, texts that a database can't store.

    Anything but an id names nothing of ours, so the response is the one for an unknown id.
    """
    for name, value in request.match_info.items():
        known = is_plain(value) if name in FREE else is_id(value)
        if not known:
            raise AccessError("session.not_valid" if name == "session" else "page.not_found")
    if not request.path.startswith("/api/"):
        return  # a page reads a word or two by itself, and tells a person what is wrong with them
    texts = [part for pair in request.query.items() for part in pair]
    texts += [value for header in OUR_HEADERS for value in request.headers.getall(header, ())]
    if not all(is_plain(text) for text in texts):
        raise InputError("request.malformed")


async def _page_that_is_meant(request: web.Request) -> web.StreamResponse | None:
    """Return the page of a mangled link, or None if this is not one."""
    from readiness.server.pages import page_that_is_meant  # noqa: PLC0415 - pages need this module's neighbours

    if request.method not in {"GET", "HEAD"}:
        return None
    try:
        return await page_that_is_meant(request)
    except NotStorable:
        return None
    except StoreUnavailable:
        return error_response(request, Unavailable("store.unavailable", retry_after_s=5))


def _refuse_encoded(request: web.Request) -> None:
    """Raise 415 for a compressed body, which we never inflate (`make_runner`)."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise web.HTTPUnsupportedMediaType


def error_response(request: web.Request, error: ReadinessError, *, status: int | None = None) -> web.StreamResponse:
    """Return `error` as JSON, or as a page with the support phone if a browser asked for a page."""
    from readiness.server.pages import error_page  # noqa: PLC0415 - pages need this module's neighbours

    code = status or error.status
    headers = {}
    if isinstance(error, LimitError | Unavailable) or error.retry_after_s:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s or 5)))
    if not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", ""):
        return error_page(request, error, status=code, headers=headers)
    said = {"code": error.code, "message": error.code} | ({"field": error.field} if error.field else {})
    return web.json_response({"error": said}, status=code, headers=headers)
