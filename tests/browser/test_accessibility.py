"""Everyone can take the test: WCAG 2.2 A and AA by axe-core, keyboard alone, small and enlarged screens.

The states of the self-test are drawn by the page's own view from the page's own reducer, so that rare ones (a queue, a
lost line, every answer) are looked at in every language and in light and dark as well; a whole test by keyboard then
goes through the real ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from probes.measurement import Measurement
from readiness.texts import LANGUAGES, catalogue
from reports.model import SkipReason
from reports.profile import load_profile
from reports.verdict import judge
from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import DESKTOP, PHONE, Person
from tests.browser.test_links import link
from tests.cast import Cast, make_cast

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
COLOURS = ["color-contrast", "link-in-text-block"]
"""What differs between light and dark, and not between languages."""
SCHEMES = {"light": RULES, "dark": COLOURS}
"""What is looked at in each."""
RUN_AXE = """
async (rules, ...without) => {
  const disabled = Object.fromEntries(without.map((name) => [name, { enabled: false }]));
  const options = { runOnly: rules, rules: disabled, resultTypes: ["violations"] };
  // Steps that are not shown are there for nobody, and axe takes longer over them than over the one that is.
  const { violations } = await axe.run({ exclude: [["[data-step][hidden]"]] }, options);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html + " " + node.failureSummary)}`);
}
"""
SMALL = {"width": 320, "height": 640}
ENLARGED = {"width": 320, "height": 256}
"""What is left of 1280 x 1024 at 400 % (WCAG 2.2, success criterion 1.4.10)."""
TOO_WIDE = """
() => [...document.querySelectorAll("body *")]
  .filter(one => one.checkVisibility() && !one.closest("svg") && !one.closest(".visually-hidden"))
  .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5)
  .map(one => one.outerHTML.slice(0, 120))
  .concat(document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [])
"""
SPOIL = """
() => {
  const pale = document.createElement("p");
  pale.textContent = "pale and wide";
  Object.assign(pale.style, { color: "#999", background: "#fff", width: "400px" });
  document.querySelector("main").append(pale, document.createElement("button"));
}
"""
DRAW = """
async ([lang, phone, change]) => {
  const base = document.querySelector("meta[name=readiness-static]").content;
  const { createView } = await import(`${base}/selftest/js/render.js`);
  const { createTexts, loadCatalogue } = await import(`${base}/shared/i18n.js`);
  const { initial } = await import(`${base}/selftest/js/session.js`);
  window.drawn ??= createView({ names: { os: "linux", browser: "chrome" }, findLater: async () => undefined });
  if (window.drawnLang !== lang) {
    const parts = await Promise.all(["", "trouble/", "later/"].map((part) => loadCatalogue(base, lang, part)));
    const words = Object.assign({}, ...parts);
    window.drawn.setTexts(createTexts(lang, words, { phone, mb: "10" }), phone);
  }
  window.drawnLang = lang;
  window.drawn.setCopyable(true);
  window.drawn.enableStart();
  window.drawn.render({ ...initial(), ...change });
  const drawn = () => document.querySelector("[data-step=answer]").hidden || document.querySelector("#figures > li");
  while (change.report && !drawn()) await new Promise((done) => setTimeout(done, 10));
}
"""


def _report(verdict: str, *advice: str) -> dict[str, Any]:
    """A report with every kind of outcome among its checks."""
    measured = {
        "camera.present": Measurement("camera.present", "present", details={"device_class": "webcam"}),
        "microphone.present": Measurement("microphone.present", "present", details={"device_class": "headset"}),
        "camera.framing": Measurement(
            "camera.framing", 15.0, "pct", samples=3,
            details={
                "top_margin": 0.5, "bottom_margin": 2.0, "offset_x_pct": 0.0, "eye_line_pct": 40.0,
                "expected_people": 1, "largest_pct": 15.0,
            },
        ),
        "network.path": Measurement("network.path", "none"),
        "microphone.clipping": Measurement("microphone.clipping", 0.0, "pct", samples=100),
    }  # fmt: skip
    judged = judge(measured, load_profile("consultation"), {"speaker.heard": SkipReason.NO_SOUND})
    assert {check.outcome.value for check in judged.checks} == {"pass", "warn", "fail", "not_measured", "skipped"}
    return {
        "schema": "readiness.report/1", "id": f"{verdict}-{len(advice)}", "code": "85FVJF", "verdict": verdict,
        "advice": advice, "checks": [check.to_json() for check in judged.checks],
    }  # fmt: skip


def _device(status: str) -> dict[str, Any]:
    return {"status": status}


def _devices(camera: str, microphone: str) -> dict[str, Any]:
    found = {"camera": _device(camera), "microphone": _device(microphone), "browser": {"missing": []}, "stream": None}
    return {"step": "devices", "prompt": "answered", "devices": found}


SESSION = {
    "session": "s", "kind": "participant", "practical": ["private_room", "people", "phone"],
    "organisation": {
        "slug": "demo", "name": "Demosykehuset", "support_phone": "+47 22 00 00 00", "support_hours": "08-15",
    },
    "meeting": {"starts_at": "2026-12-01T09:00:00Z", "ends_at": "2026-12-01T09:45:00Z", "time_zone": "Europe/Oslo"},
    "last_report": {"verdict": "ready_with_warnings"},
}  # fmt: skip
SPEAKER = {"attempt": 0, "digits": [7, 0, 4], "choices": [[7, 0, 4], [1, 2, 3], [9, 8, 5], [6, 4, 2]], "note": None}
STATES: dict[str, dict[str, Any]] = {
    "welcome": {"session": SESSION},
    "permission asked": {"step": "devices", "prompt": "asking"},
    "permission denied": _devices("NotAllowedError", "NotAllowedError"),
    "devices missing": _devices("NotFoundError", "NotReadableError"),
    "kept by the system": _devices("denied_by_system", "denied_by_system"),
    "no picture": _devices("no_frames", "no_answer"),
    "picture": {"step": "picture"},
    "picture bad": {"step": "picture", "hint": "camera.backlit"},
    "picture good": {"step": "picture", "hint": "good"},
    "quiet": {"step": "sound", "sound": {"stage": "quiet", "left_s": 3, "level_dbfs": -60}},
    "speak": {"step": "sound", "sound": {"stage": "speak", "level_dbfs": -20}},
    "muted": {"step": "sound", "sound": {"stage": "speak", "level_dbfs": -90, "silent": True}},
    "not heard yet": {"step": "sound", "sound": {"stage": "speak", "level_dbfs": -55, "faint": True}},
    "quiet again": {"step": "sound", "sound": {"stage": "quiet", "left_s": 2, "level_dbfs": -40, "again": True}},
    "obeyed": {"step": "picture", "hint": "camera.tilt_up", "hintValues": {"obeyed": True}},
    "speaker waits": {"step": "speaker", "speaker": SPEAKER | {"state": "waiting"}},
    "speaker": {"step": "speaker", "speaker": SPEAKER | {"state": "played", "note": "wrong"}},
    "network": {
        "step": "network",
        "network": {
            "connect": "done", "clock": "failed", "downlink": "running", "uplink": "running", "tcp_down": "waiting",
            "tcp_up": "waiting",
        },
    },
    "practical": {"step": "practical", "session": SESSION, "practical": SESSION["practical"]},
    "judging": {"step": "answer", "judging": True},
    "ready": {"step": "answer", "session": SESSION, "report": _report("ready")},
    "nearly ready": {
        "step": "answer", "session": SESSION,
        "report": _report("ready_with_warnings", "network.uneven", "camera.too_far"),
    },
    "not ready": {
        "step": "answer", "session": SESSION,
        "report": _report("not_ready", "camera.black", "microphone.muted", "speaker.nothing"),
    },
    "incomplete": {"step": "answer", "session": SESSION, "report": _report("incomplete", "service.fault")},
    "dead link": {"step": "stopped", "error": "link.not_valid"},
    "line lost for good": {"step": "stopped", "error": "connection_lost"},
    "interrupted": {
        "step": "network", "paused": True, "connection": "lost",
        "events": ["camera_ended", "microphone_muted", "offline"],
    },
    "interrupted for long": {"step": "network", "connection": "lost", "patience": 2},
    "line blocked": {"step": "devices", "connection": "connecting", "prompt": "answered", "blocked": "K7MB2Q"},
    "queue": {"step": "picture", "connection": "queued", "queue": {"place": 3, "eta_s": 45}},
}  # fmt: skip


async def violations(page: Page, rules: Sequence[str] = RULES, *, colours: bool = True) -> list[str]:
    """What axe finds on the page as it is now; `rules` are tags or names of rules."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    without = [] if colours else COLOURS
    found: list[str] = await page.evaluate(f"([rules, without]) => ({RUN_AXE})(rules, ...without)", [[*rules], without])
    return found


def shows_colours(lang: str, state: int, scheme: str = "light") -> bool:
    """Whether this is the language in which a state's colours are looked at: each in one, light and dark in two."""
    return (LANGUAGES.index(lang) + state + [*SCHEMES].index(scheme)) % len(LANGUAGES) == 0


async def test_a_fault_would_be_seen(live_server: LiveServer, chromium: Launch):
    """The two instruments of this file do find pale words, a button without a name, and a line that is too wide."""
    browser = await chromium()
    person = await Person.at(browser, live_server.drop_in, viewport=SMALL)
    assert await violations(person.page) == []
    assert await person.page.evaluate(TOO_WIDE) == []
    await person.page.evaluate(SPOIL)
    found = await violations(person.page)
    assert {line.split(":")[0] for line in found} == {"color-contrast", "button-name"}
    assert await person.page.evaluate(TOO_WIDE)


async def draw(page: Page, lang: str, change: dict[str, Any]) -> None:
    """Show one state of the self-test in one language."""
    await page.evaluate(DRAW, [lang, SESSION["organisation"]["support_phone"], change])


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_every_state_of_the_test_is_accessible(live_server: LiveServer, chromium: Launch, scheme: Any):
    """Every state in every language: no violation of WCAG 2.2 A and AA, and focus on the step's heading.

    Contrast, which no words change, in one language for each state, in light and dark.
    """
    browser = await chromium()
    person = await Person.at(browser, live_server.drop_in, viewport=PHONE, color_scheme=scheme)
    found = {}
    for lang in LANGUAGES:
        for number, (name, change) in enumerate(STATES.items()):
            colours = shows_colours(lang, number, scheme)
            await draw(person.page, lang, change)
            await person.page.evaluate("document.querySelector('details').open = true")
            if colours or scheme == "light":
                found[lang, name] = await violations(person.page, SCHEMES[scheme], colours=colours)
            if name != "welcome" or lang != LANGUAGES[0]:
                waits = change.get("connection") in {"lost", "queued"} or "blocked" in change
                step = "waiting" if waits else change.get("step", "welcome")
                assert await person.page.evaluate("document.activeElement.id") == f"{step}-title", name
    assert not {state: wrong for state, wrong in found.items() if wrong}
    assert not await person.complaints()


@pytest.mark.parametrize("size", [SMALL, ENLARGED], ids=["320 px wide", "400 percent"])
async def test_no_state_scrolls_sideways(live_server: LiveServer, chromium: Launch, size: Any):
    """On the narrowest screen, and enlarged four times, everything can be read by scrolling one way."""
    browser = await chromium()
    person = await Person.at(browser, live_server.drop_in, viewport=size)
    found = {}
    for lang in LANGUAGES:
        for name, change in STATES.items():
            await draw(person.page, lang, change)
            await person.page.evaluate("document.querySelector('details').open = true")
            found[lang, name] = await person.page.evaluate(TOO_WIDE)
    assert not {state: wrong for state, wrong in found.items() if wrong}


def _participant(number: int, state: str, **more: Any) -> dict[str, Any]:
    who = {"id": f"p{number}", "label": f"Anna-Karoline {number}", "role": "patient", "state": state, "running": False}
    told = {"tested_at": "2026-11-22T02:00:00Z", "other_device": True, "without_sound": True, "together": 2}
    return who | told | {"can_resend": "mail", "phones": ["+4790000000"]} | more


def _meeting(name: str, **more: Any) -> dict[str, Any]:
    more = {"state": "planned", "join_link": "https://join.example/1", "hosts": []} | more
    return SESSION["meeting"] | {"id": name, "title": "Videokonsultasjon"} | more


HOST = {"role": "technical_host", "label": "Odd", "phones": ["+4790000001"]}
BOARD = {
    "organisation": SESSION["organisation"] | {"languages": list(LANGUAGES)},
    "meeting": _meeting("m1", hosts=[HOST]),
    "at": "2026-12-01T08:58:00Z",
    "participants": [
        _participant(1, "ready", other_device=False, without_sound=False),
        _participant(2, "ready_with_warnings", area="network", responsible="local_it"),
        _participant(3, "not_ready", area="camera", responsible="participant", handed_over_at="2026-12-01T08:50:00Z"),
        _participant(4, "incomplete", area="service", responsible=None),
        _participant(5, "stale", phones=["+4790000002", "+4790000003"]),
        _participant(6, "not_tested", running=True, tested_at=None),
    ],
    "day": [
        {"meeting": _meeting("m2", ends_at="2026-12-01T08:45:00Z"), "participants": [_participant(7, "ready")]},
        {"meeting": _meeting("m3", state="cancelled"), "participants": []},
    ],
    "unlocked": True, "pin": "sms", "feedback": None,
}  # fmt: skip
LOCKED = BOARD | {"unlocked": False, "feedback": 2}
"""Before the code was typed, and after the meeting."""


async def test_the_board_is_accessible(untouched_server: LiveServer, chromium: Launch):
    """The leader's board with every state on it, cut off, guides open, in every language, light and dark, narrow.

    On a server with one organisation alone: where others were added, this page has no guides.
    """
    browser = await chromium()
    context = await browser.new_context(viewport=DESKTOP)
    board = await context.new_page()
    shown = BOARD
    await board.route("**/api/v1/boards/*", lambda route: route.fulfill(json=shown))
    await board.route("**/api/v1/boards/*/events", lambda route: route.abort())
    found: dict[Any, list[str]] = {}
    for lang in LANGUAGES:
        shown = LOCKED if lang == "nn" else BOARD
        await board.goto(f"{untouched_server.base}/board/anyone?lang={lang}")
        await board.wait_for_selector(f"#participants > li:nth-child({len(BOARD['participants'])})")
        await board.wait_for_selector("#contact:not([hidden])")
        for scheme, rules in SCHEMES.items():
            await board.emulate_media(color_scheme=scheme)
            found[lang, scheme] = await violations(board, rules)
        for size in (SMALL, ENLARGED):
            await board.set_viewport_size(size)
            found[lang, json.dumps(size)] = await board.evaluate(TOO_WIDE)
        await board.set_viewport_size(DESKTOP)
        for guide in ("checklist", "emergency"):
            await board.click(f"[data-open={guide}]")
            found[lang, guide] = await violations(board)
            await board.keyboard.press("Escape")
            back = "guide => document.activeElement.dataset.open === guide"
            await board.wait_for_function(back, arg=guide)
    assert not {state: wrong for state, wrong in found.items() if wrong}


PLACES = {
    "front": ("/", "h1", "error.front.title"),
    "unknown page": ("/nowhere/to/be/found", "h1", "error.page.not_found.title"),
    "dead link": ("/o/demo/t?lang={lang}#{token}", "#stopped-title", "error.link.not_valid.title"),
    "dead board": ("/o/demo/board?lang={lang}#{token}", "#title", "error.link.not_valid.title"),
}


async def test_pages_that_say_no_are_accessible(untouched_server: LiveServer, chromium: Launch):
    """The front door, an unknown address and dead links: the catalogue's words, no violation, nothing too wide.

    Contrast, which no words change, in one language for each page, in light and dark. On a server with one
    organisation alone, whose telephone the front door shows.
    """
    browser = await chromium()
    found = {}
    for lang in LANGUAGES:
        context = await browser.new_context(viewport=SMALL, locale={"nb": "nb-NO", "nn": "nn-NO", "en": "en-GB"}[lang])
        for number, (name, (path, heading, key)) in enumerate(PLACES.items()):
            page = await context.new_page()
            await page.goto(untouched_server.base + path.format(lang=lang, token="A" * 43))
            words = catalogue(lang)[key]
            says = "([selector, words]) => document.querySelector(selector)?.innerText === words"
            await page.wait_for_function(says, arg=[heading, words])
            assert await page.get_attribute("html", "lang") == lang
            assert "22" in await page.inner_text("body"), "the support phone stands there"
            for scheme, rules in SCHEMES.items():
                colours = shows_colours(lang, number, scheme)
                await page.emulate_media(color_scheme=scheme)
                if colours or scheme == "light":
                    found[lang, name, scheme] = await violations(page, rules, colours=colours)
            found[lang, name, "wide"] = await page.evaluate(TOO_WIDE)
            await page.close()
        await context.close()
    assert not {state: wrong for state, wrong in found.items() if wrong}


@pytest_asyncio.fixture(loop_scope="session")
async def cast(live_server: LiveServer) -> Cast:
    """A meeting with all practical questions."""
    store = await live_server.open_store()
    try:
        return await make_cast(store, practical=("private_room", "people", "phone"))
    finally:
        await store.close()


class Keyboard:
    """Somebody without a mouse, on a screen enlarged four times."""

    def __init__(self, person: Person) -> None:
        self.person, self.page = person, person.page
        self.found: dict[str, list[str]] = {}

    async def go_to(self, selector: str, *, most: int = 40) -> None:
        """Press Tab until the element has the focus, and see that it is shown where it is."""
        for _ in range(most):
            if await self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                visible = "() => { const box = document.activeElement.getBoundingClientRect();"
                visible += " return box.bottom > 0 && box.top < innerHeight; }"
                assert await self.page.evaluate(visible), f"{selector} has the focus out of sight"
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never reaches {selector}")

    async def arrive(self, step: str) -> None:
        """See that the focus is on the heading of the step that has just begun, and that the step is sound."""
        await self.person.wait_step(step)
        await self.person.wait_until("id => document.activeElement.id === id", f"{step}-title")
        self.found[step] = [*await self.page.evaluate(TOO_WIDE), *await violations(self.page)]


async def test_a_whole_test_by_keyboard_on_an_enlarged_screen(live_server: LiveServer, cast: Cast, chromium: Launch):
    """With Tab, Enter, Space and arrows alone, at 400 %: every step is reached, done and free of violations."""
    browser = await chromium()
    person = await Person.at(browser, link(live_server, cast.anna_token), viewport=ENLARGED)
    keys = Keyboard(person)
    await keys.go_to("[data-action=language][data-lang=nn]")
    await keys.page.keyboard.press("Space")
    await keys.page.wait_for_selector("html[lang=nn]", state="attached")
    await keys.go_to("[data-action=start]")
    await keys.page.keyboard.press("Enter")
    await keys.arrive("picture")
    await keys.go_to("[data-step=picture] [data-action=more-time]")
    await keys.page.keyboard.press("Enter")
    await person.wait_until("() => document.querySelector('#mirror[data-tone=good]')")
    if await person.step() == "picture":
        await keys.go_to("[data-step=picture] [data-action=more-time]")
    await keys.arrive("sound")
    await keys.arrive("speaker")
    await keys.go_to("[data-action=play-again]")
    await keys.page.keyboard.press("Space")
    person.lang = "nn"
    await person.until("#speaker-text", "speaker.played")
    spoken = await keys.page.get_attribute("[data-step=speaker]", "data-digits")
    await keys.go_to(f"[data-action=heard-digits][data-digits='{spoken}']", most=60)
    await keys.page.keyboard.press("Space")
    await keys.arrive("practical")
    await keys.go_to("[name=private_room]")
    await keys.page.keyboard.press("Space")
    await keys.go_to("#phone")
    await keys.page.keyboard.type("22 00 00 00")
    await keys.page.keyboard.press("Enter")
    report = await person.report()
    await keys.arrive("answer")
    await keys.go_to("#answer-body summary")
    await keys.page.keyboard.press("Enter")
    assert await keys.page.is_visible("#figures")
    assert next(one for one in report["checks"] if one["id"] == "practical.private_room")["value"] == "yes"
    assert next(one for one in report["checks"] if one["id"] == "practical.phone")["value"] == "given"
    assert set(keys.found) == {"picture", "sound", "speaker", "practical", "answer"}
    assert not {step: wrong for step, wrong in keys.found.items() if wrong}
