"""WebKit itself: Debian's MiniBrowser on a display of its own, over WebDriver, with WebKit's own made-up devices.

The camera is a drawing with a clock and without a face, the microphone a hum with beeps. Debian builds WebKit without
RTCPeerConnection, so media never goes over UDP here.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.integration.support import free_port, program

START_S = 60.0
CALL_S = 60.0
ASK_AGAIN_S = 5.0
"""A question is lost that reaches WebKit while it moves a page to another process: about one in 25 of such moves on a
busy machine. The next one is answered."""
PHONE = (360, 740)
DESKTOP = (1280, 800)
SCREEN = "1400x1000x24"
MEDIA = ("--automation", "--enable-media-stream=true", "--media-playback-requires-user-gesture=false")
MOCK = "--enable-mock-capture-devices=true"
BROWSERS = ("webkit2gtk-4.*/MiniBrowser", "webkitgtk-6.*/MiniBrowser")
"""Where Debian keeps it, under /usr/lib/<architecture>."""
NARROW = "* { font-size: 1px; min-width: 0; min-height: 0; padding: 0; margin: 0; border-width: 0; }"
"""MiniBrowser's own buttons, which would keep its window wider than a phone."""
LISTEN = """
if (!window.heard) {
  window.heard = [];
  const hear = (words) => window.heard.push(words);
  addEventListener("error", ({ message, target }) => hear(message || `not loaded: ${target?.outerHTML}`), true);
  addEventListener("unhandledrejection", ({ reason }) => hear(`rejected: ${reason}`));
}
return document.readyState;
"""
REPLAY = """async () => {
  const scripts = [...document.querySelectorAll("script[type=module][src]")];
  const runs = await Promise.allSettled(scripts.map(({ src }) => import(src)));
  return [...window.heard, ...runs.filter((run) => run.status === "rejected").map((run) => String(run.reason))];
}"""
"""Importing a script again says whether all its parts were there. One that failed while it first ran does not say so a
second time: such a page never becomes what its test waits for."""


class WebKitError(RuntimeError):
    """WebDriver's own error, by its name first."""


LEFT = "before the unload event"
"""What WebKit's driver says of a script whose page goes to another one."""


class WebKitPage:
    """One tab of MiniBrowser."""

    def __init__(self, port: int, session: str) -> None:
        self._port = port
        self._path = f"/session/{session}"

    async def goto(self, url: str) -> None:
        """Open `url` and listen for errors from as early as WebDriver lets us; returns when it has loaded."""
        async with self._arriving():
            await self.call("POST", "/url", {"url": url})

    async def follow(self, selector: str) -> None:
        """Press a link, and arrive where it leads."""
        async with self._arriving():
            await self.click(selector)

    @contextlib.asynccontextmanager
    async def _arriving(self) -> AsyncIterator[None]:
        await self._script("window.leaving = true; return null;")
        yield
        deadline = time.monotonic() + CALL_S
        while time.monotonic() < deadline:
            with contextlib.suppress(WebKitError, TimeoutError):  # between two documents there is none to ask
                if not await self._script("return window.leaving ?? false;", patience_s=ASK_AGAIN_S):
                    state = await self._script(LISTEN, patience_s=ASK_AGAIN_S)
                    if state == "complete":
                        return
            await asyncio.sleep(0.02)
        raise TimeoutError(await self._script("return location.href;"))

    async def evaluate(self, function: str, *arguments: Any, patience_s: float = CALL_S) -> Any:
        """Run an arrow function with `arguments` and return what it, or its promise, gives."""
        script = (
            "const done = arguments[arguments.length - 1]; const given = [...arguments].slice(0, -1);"
            f"Promise.resolve().then(() => ({function})(...given))"
            ".then((value) => done({ value: value ?? null }), (error) => done({ error: `${error}` }));"
        )
        asked = {"script": script, "args": list(arguments)}
        answer = await self.call("POST", "/execute/async", asked, patience_s=patience_s)
        if "error" in answer:
            raise WebKitError(answer["error"])
        return answer["value"]

    async def click(self, selector: str) -> None:
        """Press the element that `selector` names with a real pointer."""
        await self.call("POST", f"/element/{await self._find(selector)}/click", {})

    async def type(self, selector: str, text: str) -> None:
        """Type `text` into the element."""
        await self.call("POST", f"/element/{await self._find(selector)}/value", {"text": text})

    async def until(self, function: str, *arguments: Any, timeout_s: float = 40.0) -> Any:
        """Wait until an arrow function gives something true, and return that.

        Listens for errors from then on, also where the page went to another one by itself.
        """
        deadline = time.monotonic() + timeout_s
        while not (found := await self._asked(function, *arguments)):
            if time.monotonic() > deadline:
                text = await self.evaluate("() => document.body.innerText")
                raise TimeoutError(f"{function} {arguments}: the page says {text[:600]}")
            await asyncio.sleep(0.1)
        while not await self._asked(f"() => {{ {LISTEN} }}"):
            await asyncio.sleep(0.1)
        return found

    async def _asked(self, function: str, *arguments: Any) -> Any:
        """As `evaluate`; None where the page went to another one while it was asked."""
        try:
            return await self.evaluate(function, *arguments, patience_s=ASK_AGAIN_S)
        except TimeoutError:
            return None
        except WebKitError as error:
            if LEFT not in str(error):
                raise
            return None

    async def size(self, width: int, height: int) -> None:
        """Make the page as wide as asked. WebKit lays out anew a moment later."""
        await self.call("POST", "/window/rect", {"x": 0, "y": 0, "width": width, "height": height})
        await self.until("(width) => innerWidth === width", width)

    async def frame(self, selector: str | None) -> None:
        """Go into an embedded page, or with None out of all."""
        reference = None if selector is None else {ELEMENT: await self._find(selector)}
        await self.call("POST", "/frame", {"id": reference})

    async def faults(self) -> list[str]:
        """Errors of this page's scripts since it was opened: nobody caught them."""
        return list(await self.evaluate(REPLAY))

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, patience_s: float = CALL_S
    ) -> Any:
        """One WebDriver command; returns its value. TimeoutError where none came within `patience_s`."""
        return await asyncio.to_thread(_ask, self._port, method, self._path + path, body, patience_s)

    async def _find(self, selector: str) -> str:
        found = await self.call("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    async def _script(self, script: str, *, patience_s: float = CALL_S) -> Any:
        return await self.call("POST", "/execute/sync", {"script": script, "args": []}, patience_s=patience_s)


ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""WebDriver's name for a reference to an element."""


@contextlib.contextmanager
def webkit(
    folder: Path, *, devices: bool = True, settings: tuple[str, ...] = (), **environment: str
) -> Iterator[WebKitPage]:
    """A WebKit with a fresh profile in `folder`, ended with its display and driver afterwards.

    Without `devices` the computer has none. `settings` are MiniBrowser's flags, `environment` is WebKit's.
    """
    arguments = [*MEDIA, *([MOCK] if devices else []), *settings]
    port = free_port()
    with _display() as display, _driver(port, {**_home(folder), "DISPLAY": display, **environment}, folder):
        options = {"binary": str(_browser()), "args": arguments}
        wanted = {"pageLoadStrategy": "none", "webkitgtk:browserOptions": options}
        session = _ask(port, "POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        try:
            yield WebKitPage(port, session)
        finally:
            _ask(port, "DELETE", f"/session/{session}")


def _browser() -> Path:
    found = [path for name in BROWSERS for path in sorted(Path("/usr/lib").glob(f"*/{name}"))]
    if not found:
        raise RuntimeError("MiniBrowser is missing; run .ci/install-system")
    return found[0]


def _home(folder: Path) -> dict[str, str]:
    """The environment of a person without any settings."""
    for version in ("3.0", "4.0"):
        (folder / f"gtk-{version}").mkdir(parents=True, exist_ok=True)
        (folder / f"gtk-{version}" / "gtk.css").write_text(NARROW)
    folder.chmod(0o700)
    home = dict.fromkeys(["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"], str(folder))
    mute = {"GDK_BACKEND": "x11", "GSETTINGS_BACKEND": "memory", "NO_AT_BRIDGE": "1", "GTK_A11Y": "none"}
    own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    own.pop("WAYLAND_DISPLAY", None)
    return own | home | mute


@contextlib.contextmanager
def _display() -> Iterator[str]:
    """A screen that nobody looks at; X chooses its number."""
    ours, theirs = os.pipe()
    command = [program("Xvfb"), "-displayfd", str(theirs), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    with os.fdopen(ours) as numbers, _running(command, pass_fds=[theirs]):
        os.close(theirs)
        number = numbers.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start")
        yield f":{number}"


@contextlib.contextmanager
def _driver(port: int, environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    log = folder / "webkit.log"
    command = [program("WebKitWebDriver"), f"--port={port}"]
    with log.open("wb") as errors, _running(command, env=environment, stdout=errors, stderr=errors) as process:
        deadline = time.monotonic() + START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"WebKitWebDriver did not start ({process.poll()}): {log.read_text()[-1000:]}")
            time.sleep(0.05)
        yield


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        return bool(_ask(port, "GET", "/status"))
    return False


@contextlib.contextmanager
def _running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **{**quiet, **options})
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _ask(port: int, method: str, path: str, body: Mapping[str, Any] | None = None, patience_s: float = CALL_S) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience_s)
    try:
        content = json.dumps(body or {}) if method == "POST" else None
        connection.request(method, path, content, {"Content-Type": "application/json"})
        value = json.loads(connection.getresponse().read())["value"]
    finally:
        connection.close()
    if isinstance(value, dict) and "error" in value and "stacktrace" in value:
        raise WebKitError(f"{value['error']}: {value.get('message')}")
    return value
