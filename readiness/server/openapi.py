"""The description of the API for programs: served, shown on a page, and used to validate requests.

One file (``web/api/openapi.json``) serves all three, so the description can't differ from the server's behaviour.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator

from readiness.errors import InputError
from readiness.server.pages import render_page
from readiness.server.services import SERVICES
from readiness.texts import WEB_FOLDER

__all__ = ["checked", "description", "routes"]

routes = web.RouteTableDef()
METHODS = ("get", "post", "patch", "delete")
PAGE = "api/index.html"


@cache
def description() -> Mapping[str, Any]:
    """Return the description as in the file."""
    loaded: dict[str, Any] = json.loads((WEB_FOLDER / "api" / "openapi.json").read_text(encoding="utf-8"))
    return loaded


@cache
def _validator(name: str) -> Draft202012Validator:
    components = {"schemas": description()["components"]["schemas"]}
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": components})


def checked(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return `value` if it matches the schema `name`. Raises InputError("request.malformed") with the location."""
    error = next(iter(sorted(_validator(name).iter_errors(value), key=lambda one: list(map(str, one.path)))), None)
    if error is not None:
        raise InputError("request.malformed", field=".".join(map(str, error.absolute_path)))
    return value


@routes.get("/api/v1/openapi.json")
async def openapi(_request: web.Request) -> web.Response:
    """Return the description (OpenAPI 3.1)."""
    return web.json_response(description())


@routes.get("/api/docs")
async def docs(request: web.Request) -> web.Response:
    """Show the description as a page: plain HTML, no script."""
    organisation = request.app[SERVICES].health.organisation
    view = {"info": description()["info"], "groups": _groups(), "schemas": _schemas()}
    return render_page(request, PAGE, organisation, {"view": view})


def _groups() -> list[dict[str, Any]]:
    """Return the operations by tag, each with its parameters, body and answers."""
    operations: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in description()["tags"]}
    for path, item in description()["paths"].items():
        for method in METHODS:
            if method in item:
                operations[item[method]["tags"][0]].append(_operation(path, method, item))
    return [{**tag, "operations": operations[tag["name"]]} for tag in description()["tags"]]


def _operation(path: str, method: str, item: Mapping[str, Any]) -> dict[str, Any]:
    operation = item[method]
    body = operation.get("requestBody", {}).get("content", {})
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "parameters": [*item.get("parameters", ()), *operation.get("parameters", ())],
        "body": [(kind, _named(content["schema"])) for kind, content in body.items()],
        "example": next((_pretty(one["example"]) for one in body.values() if "example" in one), ""),
        "answers": [_answer(status, answer) for status, answer in operation["responses"].items()],
    }


def _answer(status: str, answer: Mapping[str, Any]) -> dict[str, str]:
    if "$ref" in answer:
        answer = description()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    content: Mapping[str, Any] = next(iter(answer.get("content", {}).values()), {})
    return {"status": status, "text": answer["description"], "schema": _named(content.get("schema", {}))}


def _named(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _schemas() -> list[tuple[str, str]]:
    return [(name, _pretty(schema)) for name, schema in description()["components"]["schemas"].items()]


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
