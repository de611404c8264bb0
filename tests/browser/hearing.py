"""What a screen reader would say of a page: each focus, and each change of a live region, as the browser tells them.

The words of a focus are those of Chromium's own accessibility tree (role and name); a live region is read as ARIA says:
what was added where it is not atomic, all of it where it is. A region that is not shown says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.async_api import CDPSession, Page

__all__ = ["Listener", "aligned", "masked"]

LISTEN = r"""
(() => {
  if (window.heard) return;
  window.heard = [];
  const LIVE = "[role=status], [role=alert], [role=log], [aria-live]:not([aria-live=off])";
  const isShown = one => one.getClientRects().length > 0;
  const words = one => (one.innerText ?? one.textContent ?? "").replace(/\s+/g, " ").trim();
  document.addEventListener("focusin", ({ target }) => heard.push({ kind: "focus", words: words(target) }), true);
  const look = records => {
    const told = new Map();
    for (const { target, addedNodes, type } of records) {
      const element = target instanceof Element ? target : target.parentElement;
      const region = element?.closest(LIVE);
      if (!region || !isShown(region) || type === "attributes") continue;
      const isAtomic = region.matches("[role=status], [role=alert], [aria-atomic=true]");
      const said = isAtomic ? words(region) : [...addedNodes].map(one => words(one)).filter(Boolean).join(" ");
      if (said) told.set(region, isAtomic ? said : [told.get(region), said].filter(Boolean).join(" "));
    }
    for (const said of told.values()) heard.push({ kind: "said", words: said });
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
})()
"""
NUMBERS = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass
class Listener:
    """Somebody who hears a page and does not see it."""

    page: Page
    lines: list[str] = field(default_factory=list)
    taken: int = 0
    tree: CDPSession | None = None

    @classmethod
    async def at(cls, page: Page) -> Listener:
        """Listen from now on, and on every page that this tab opens."""
        await page.add_init_script(LISTEN)
        await page.evaluate(LISTEN)
        listener = cls(page, tree=await page.context.new_cdp_session(page))
        assert listener.tree
        await listener.tree.send("Accessibility.enable")
        return listener

    async def hear(self) -> list[str]:
        """What was said since the last time."""
        events = (await self.page.evaluate("window.heard"))[self.taken :]
        self.taken += len(events)
        new = [f"{one['kind']}: {one['words']}" for one in events]
        self.lines += new
        return new

    async def focused(self) -> str:
        """Role and name of what has the focus, by Chromium's accessibility tree."""
        assert self.tree
        nodes = (await self.tree.send("Accessibility.getFullAXTree"))["nodes"]
        for node in reversed(nodes):
            values = {one["name"]: one["value"].get("value") for one in node.get("properties", ())}
            if values.get("focused") and node["role"]["value"] != "RootWebArea":
                return f"{node['role']['value']} {node['name']['value']}"
        return ""

    async def read(self, step: str) -> list[str]:
        """What there is to read in one step, in order, as the accessibility tree has it."""
        assert self.tree
        found = await self.page.evaluate_handle(f"document.querySelector('[data-step={step}]')")
        description = await self.tree.send("DOM.getDocument", {"depth": 0})
        root = await self.tree.send(
            "DOM.querySelector", {"nodeId": description["root"]["nodeId"], "selector": f"[data-step={step}]"}
        )
        await found.dispose()
        tree = await self.tree.send("Accessibility.queryAXTree", {"nodeId": root["nodeId"]})
        lines = []
        for node in tree["nodes"]:
            role, name = node["role"]["value"], node.get("name", {}).get("value", "").strip()
            is_own = role == "StaticText" and lines and lines[-1].partition(": ")[2] == name
            if not node["ignored"] and name and role in READ and not is_own:
                lines.append(f"{role}: {name}")
        return lines


READ = {"heading", "button", "link", "StaticText", "radio", "checkbox", "textbox", "meter", "progressbar"}
"""Roles with words of their own; what only groups them is left out."""


def masked(line: str) -> str:
    """The line without what differs from run to run: figures, codes, and how a phone number is spaced."""
    line = re.sub(r"\b[0-9A-Z]{6}\b", "CODE", line.replace("\N{NO-BREAK SPACE}", " "))
    return NUMBERS.sub("#", line)


def aligned(kept: list[str], heard: list[str]) -> str:
    """Return what is wrong, empty where `heard` is as was kept. A kept line that begins with ``~`` may be left out.

    Every other line has to come, once and in its place; nothing else may be said.
    """
    place = 0
    for line in heard:
        start = place
        while place < len(kept) and kept[place].lstrip("~") != line:
            if not kept[place].startswith("~"):
                return f"heard {line!r} where {kept[place]!r} was kept (line {place + 1})"
            place += 1
        if place == len(kept):
            return f"heard {line!r}, which is not kept after line {start}"
        place += 1
    rest = [line for line in kept[place:] if not line.startswith("~")]
    return f"never heard {rest[0]!r}" if rest else ""
