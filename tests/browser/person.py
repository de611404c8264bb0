"""A page object that does what a person is asked to do, and reads what the person reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, BrowserContext, CDPSession, Page

from readiness.texts import catalogue
from reports.advice import advice_key
from tests.patience import PATIENCE_S, was_busy

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}
LOCALES = {"nb": "nb-NO", "nn": "nn-NO", "en": "en-GB"}
VISIBLE_STEP = "document.querySelector('[data-step]:not([hidden])')?.dataset.step"
TOLD = "#mirror[data-tone=warn], #mirror[data-tone=good]"
PRESS_NEXT_OF_PICTURE = "document.querySelector('[data-step=picture]:not([hidden]) [data-action=next]')?.click()"
"""In the page, because a good picture goes on by itself at any moment."""
CATCH_REPORTS = """
window.caughtReports = [];
document.addEventListener("readiness:report", ({ detail: report }) => {
  window.caughtReports.push({ at: Date.now(), report });
});
"""
QUIET_WHEN_ASKED = """
const listen = AudioContext.prototype.createMediaStreamSource;
AudioContext.prototype.createMediaStreamSource = function (stream) {
  const voice = new GainNode(this);
  listen.call(this, stream).connect(voice);
  setInterval(() => {
    const sound = document.querySelector("[data-step=sound]:not([hidden])");
    voice.gain.value = sound?.querySelector("#sentence").hidden ? 1e-4 : 1;
  }, 20);
  return voice;
};
"""
"""The clip that speaks for the person goes round without listening; people are quiet when they are asked to be."""
SAYS_ONE_OF = r"""
([selector, texts]) => texts.includes(document.querySelector(selector)?.textContent.replace(/\xa0/g, " "))
"""
STEP_S = 60.0
"""Longest wait for one step on a busy machine, s."""
LOOK_MS = 50
"""Between looks for what is waited for: looking at each frame makes the browser draw them all, changed or not."""


@dataclass
class Person:
    """Somebody with one tab open."""

    page: Page
    lang: str = "nb"
    console: list[str] = field(default_factory=list)

    # ---- coming in

    @classmethod
    async def at(
        cls, where: Browser | BrowserContext, url: str, *, lang: str = "nb", obedient: bool = True, **context: Any
    ) -> Person:
        """Open `url` in a new tab; a browser gets a new context in the person's language.

        Whoever is `obedient` makes no sound while silence is asked for.
        """
        if isinstance(where, Browser):
            where = await where.new_context(**({"viewport": PHONE, "locale": LOCALES[lang]} | context))
        person = cls(await where.new_page(), lang)
        if obedient:
            await person.page.add_init_script(QUIET_WHEN_ASKED)
        await person.open(url)
        return person

    async def open(self, url: str) -> None:
        """Open `url` in this tab, and listen to what the page says."""
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.console.append(f"pageerror: {error}"))
        await self.page.add_init_script(CATCH_REPORTS)
        await self.page.goto(url)
        await self.page.wait_for_selector("[data-action=start]:enabled, [data-step=stopped]:not([hidden])")

    async def cdp(self) -> CDPSession:
        """The browser's own protocol, for this tab."""
        return await self.page.context.new_cdp_session(self.page)

    async def allow(self, **devices: bool) -> None:
        """Answer the browser's question about `camera` and `microphone` once and for all."""
        cdp = await self.cdp()
        target = await cdp.send("Target.getTargetInfo")
        origin = await self.page.evaluate("location.origin")
        for name, allowed in devices.items():
            setting = {"permission": {"name": name}, "setting": "granted" if allowed else "denied"}
            context = {"origin": origin, "browserContextId": target["targetInfo"]["browserContextId"]}
            await cdp.send("Browser.setPermission", setting | context)

    # ---- pressing

    async def press(self, action: str) -> None:
        """Press the visible button for `action`."""
        await self.page.click(f"[data-step]:not([hidden]) [data-action={action}]:visible")

    async def start(self) -> None:
        """Press start; the clock of the test runs from here (`window.tappedAt`, ms)."""
        await self.page.evaluate("window.tappedAt = Date.now()")
        await self.press("start")

    async def step(self) -> str:
        """The step that is shown."""
        return str(await self.page.evaluate(VISIBLE_STEP))

    async def wait_until(self, condition: str, argument: Any = None, *, timeout_s: float = STEP_S) -> None:
        """Wait for a condition. A function, not an expression: the page's policy forbids the latter's eval."""
        await self.page.wait_for_function(condition, arg=argument, polling=LOOK_MS, timeout=timeout_s * 1000)

    async def wait_step(self, *names: str, timeout_s: float = STEP_S) -> str:
        """Wait until one of the steps `names` is shown. A test that stopped for good never gets there."""
        await self.wait_until(
            f"names => [...names, 'stopped'].includes({VISIBLE_STEP})", list(names), timeout_s=timeout_s
        )
        step = await self.step()
        assert step != "stopped" or "stopped" in names, (await self.reads("#stopped-text"), self.console)
        return step

    async def until(self, selector: str, *texts: str, timeout_s: float = STEP_S) -> None:
        """Wait until the element says one of the catalogue's `texts`, given by key."""
        phone = await self.phone()
        expected = [self.words(key, phone) for key in texts]
        await self.wait_until(SAYS_ONE_OF, [selector, expected], timeout_s=timeout_s)

    # ---- the steps

    async def look(self, *, patiently: bool = True) -> None:
        """The picture: wait until the page goes on, or press next once it has said what is wrong."""
        if not patiently and await self.wait_step("picture", "sound", "speaker", "answer") == "picture":
            await self.wait_until(f"() => {VISIBLE_STEP} !== 'picture' || document.querySelector('{TOLD}')")
            await self.page.evaluate(PRESS_NEXT_OF_PICTURE)
        await self.wait_step("sound", "speaker", "network", "answer")

    async def speak(self, *, patiently: bool = True) -> None:
        """The sound: the microphone's clip speaks; wait, or press next once the page says that nothing comes."""
        if not patiently:
            await self.until("#sound-text", "hint.microphone.muted")
            await self.press("next")
        await self.wait_step("speaker", "network", "answer")

    async def hear(self, answer: str = "right") -> None:
        """The loudspeaker: ``right``, ``wrong``, ``nothing`` (each as often as asked), ``no-sound`` or ``skip``."""
        for attempt in range(2 if answer in {"wrong", "nothing"} else 1):
            if attempt:
                await self.until("#speaker-text", "speaker.wrong", "speaker.louder")
            await self.until("#speaker-text", "speaker.played")
            if answer in {"right", "wrong"}:
                await self._choose(right=answer == "right")
            else:
                await self.press("heard-nothing" if answer == "nothing" else answer)
        await self.wait_step("network", "practical", "answer")

    async def _choose(self, *, right: bool) -> None:
        spoken = await self.page.get_attribute("[data-step=speaker]", "data-digits")
        others = f":not([data-digits='{spoken}'])" if not right else f"[data-digits='{spoken}']"
        await self.page.locator(f"[data-action=heard-digits]{others}").first.click()

    async def tell(self, answers: Mapping[str, str]) -> None:
        """The practical questions."""
        for name, value in answers.items():
            if name == "phone":
                await self.page.fill("#phone", value)
            else:
                await self.page.check(f"[name={name}][value='{value}']")
        await self.press("next")
        await self.wait_step("answer")

    async def finish(
        self,
        *,
        look: bool = True,
        speak: bool = True,
        hear: str = "right",
        tell: Mapping[str, str] | None = None,
        timeout_s: float = STEP_S,
    ) -> dict[str, Any]:
        """From wherever the test is now to the answer. Returns the report."""
        if await self.wait_step("picture", "sound", "speaker", "network", "answer") == "picture":
            await self.look(patiently=look)
        if await self.step() == "sound":
            await self.speak(patiently=speak)
        if await self.step() == "speaker":
            await self.hear(hear)
        if await self.wait_step("practical", "answer") == "practical":
            await self.tell(tell or {})
        return await self.report(timeout_s=timeout_s)

    async def finish_undisturbed(self, *, most: int = 2, **steps: Any) -> dict[str, Any]:
        """As `finish`; where the answer is that the machine had too much to do, do as it says: test again."""
        for _ in range(most - 1):
            report = await self.finish(**steps)
            if not was_busy(report):
                return report
            print("the machine was too busy; the person tests again")
            await self.again()
        return await self.finish(**steps)

    async def again(self) -> None:
        """Press "test again" at the answer."""
        await self.page.evaluate("window.tappedAt = Date.now()")
        await self.press("retry")
        await self.page.wait_for_selector("html:not([data-verdict])", state="attached")

    async def report(self, *, timeout_s: float = STEP_S) -> dict[str, Any]:
        """Wait for the answer and return the report that the page announced."""
        await self.page.wait_for_selector("html[data-verdict]", state="attached", timeout=timeout_s * 1000)
        caught = await self.page.evaluate("window.caughtReports")
        assert caught, "the page shows an answer but has announced no report"
        report: dict[str, Any] = caught[-1]["report"]
        return report

    # ---- reading

    def words(self, key: str, phone: str = "") -> str:
        """The catalogue's text in the person's language, filled in."""
        return plain(catalogue(self.lang)[key].replace("{phone}", phone))

    async def reads(self, selector: str) -> str:
        """The words of a visible element."""
        return plain(await self.page.locator(selector).first.inner_text())

    async def phone(self) -> str:
        """The support phone that the page shows."""
        return await self.reads(".help strong")

    async def sees_advice(self, code: str, selector: str = "#todo > li") -> None:
        """Assert that the first advice is `code`, in the catalogue's words and in view."""
        phone = await self.phone()
        title, remedy = self.words(f"advice.{code}.title", phone), self._remedy(code, phone)
        first = self.page.locator(selector).first
        assert await first.get_attribute("data-advice") == code
        assert await first.is_visible()
        assert plain(await first.locator(".advice-title").inner_text()) == title
        assert plain(await first.locator(".remedy").inner_text()) == remedy

    def _remedy(self, code: str, phone: str) -> str:
        return self.words(advice_key(catalogue(self.lang), code, os="linux", browser="chrome"), phone)

    async def sees_notice(self, key: str, *, timeout_s: float = STEP_S) -> None:
        """Wait until the words of `key` stand among the notices at the top."""
        says = r"text => document.querySelector('#notices').innerText.replace(/\xa0/g, ' ').includes(text)"
        await self.wait_until(says, self.words(key, await self.phone()), timeout_s=timeout_s)

    async def sees_verdict(self, verdict: str) -> None:
        """Assert that the answer is `verdict`, in the catalogue's words and for machines."""
        assert await self.page.get_attribute("html", "data-verdict") == verdict
        assert await self.reads("#answer-title") == self.words(f"verdict.{verdict}.title")
        assert await self.reads("#answer-text") == self.words(f"verdict.{verdict}.text", await self.phone())

    async def complaints(self) -> Sequence[str]:
        """What the page wrote to the console as errors."""
        return [line for line in self.console if line.startswith(("error", "pageerror"))]


def plain(text: str) -> str:
    """Words as they are read: a phone number's spaces do not break, which nobody sees."""
    return text.replace("\N{NO-BREAK SPACE}", " ").strip()


def check(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One check of a report."""
    found: dict[str, Any] = next(one for one in report["checks"] if one["id"] == name)
    return found


async def eventually(what: Any, *, timeout_s: float = PATIENCE_S, every_s: float = 0.1) -> Any:
    """Call `what` until it returns something true, and return that."""
    deadline = time.monotonic() + timeout_s
    while not (found := what()):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s in vain"
        await asyncio.sleep(every_s)
    return found
