"""Routes for a load balancer: whether the process answers, and whether it can take a self-test."""

from __future__ import annotations

from aiohttp import web

from readiness.server.services import SERVICES

__all__ = ["routes"]

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(_request: web.Request) -> web.Response:
    """Answer that the process is alive."""
    return web.json_response({"process": True})


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Answer whether every part that a self-test needs is well; while draining, answer that instead."""
    services = request.app[SERVICES]
    parts = await services.health.look()
    ready = all(parts.values()) and not services.draining
    body = {
        "ready": ready,
        "draining": services.draining,
        "live_tests": services.admission.pool.live,
        "parts": parts,
        "delivery": await services.health.delivery(),
    }
    return web.json_response(body, status=200 if ready else 503)
