"""Whether a page fits: nothing cut off, nothing out of its box, nothing over anything else, no scrolling sideways."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import Page

__all__ = ["ROOMS", "Room", "settle", "unfit"]

UNFIT = r"""
() => {
  const found = new Set();
  const name = one => one.outerHTML.slice(0, 90);
  const isShown = one => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const leftOut = "svg, .visually-hidden, .skip, template, noscript, datalist";
  const isLeftOut = one => one.closest(leftOut) || !isShown(one);
  const scrolls = one => one.matches(".scroll, pre");
  const isPainted = style => parseFloat(style.borderLeftWidth) > 0 || style.overflowX !== "visible"
    || !/rgba\(0, 0, 0, 0\)|transparent/.test(style.backgroundColor);
  // The boxes something has to stay in: every painted one around it, up to one that scrolls by itself.
  const around = (element, isWords) => {
    const boxes = [];
    for (let one = element; one && one !== document.body; one = one.parentElement) {
      if ((one !== element || isWords) && scrolls(one)) return { boxes, isFree: false };
      const style = getComputedStyle(one);
      if (isPainted(style)) boxes.push([one, one.getBoundingClientRect(), style.overflowY === "hidden"]);
    }
    return { boxes, isFree: true };
  };
  const stays = (rect, element, what) => {
    const { boxes, isFree } = around(element, what === "words");
    if (isFree && (rect.right > innerWidth + 0.5 || rect.left < -0.5)) {
      found.add(`${what} outside the window: ${name(element)}`);
    }
    for (const [box, { left, right, bottom }, cuts] of boxes) {
      if (box === element && what === "box") continue;
      if (rect.right > right + 0.5 || rect.left < left - 0.5) {
        found.add(`${what} out of ${name(box)}: ${name(element)}`);
      }
      if (cuts && rect.bottom > bottom + 1) found.add(`${what} cut by ${name(box)}: ${name(element)}`);
    }
  };
  const { scrollWidth } = document.scrollingElement;
  if (scrollWidth > innerWidth) found.add(`the page scrolls sideways, ${scrollWidth} px`);
  const root = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  for (const one of root.querySelectorAll("*")) {
    if (isLeftOut(one) && !one.matches("svg")) continue;
    const rect = one.getBoundingClientRect();
    if (rect.width && isShown(one)) stays(rect, one, "box");
    if (one.matches("#typed, #code, #pin-digits") && one.scrollWidth > one.clientWidth + 1) {
      found.add(`what is typed is cut: ${name(one)}`);
    }
  }
  // Words, line by line.
  const lines = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element || isLeftOut(element) || element.closest("select, script, style")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const rects = [...range.getClientRects()].filter(({ width }) => width > 1);
    for (const rect of rects) stays(rect, element, "words");
    const tops = new Set(rects.map(({ top }) => Math.round(top)));
    const whole = "[translate=no], .digits, .help strong, #code, .code";
    const isOne = element.matches(whole) && !/[a-zæøå]{2}/.test(node.data);
    if (isOne && tops.size > 1) found.add(`broken in two: ${name(element)}`);
    lines.push(...rects.map(rect => [element, rect]));
  }
  lines.forEach(([one, a], place) => {
    for (const [other, b] of lines.slice(place + 1)) {
      if (one === other || one.contains(other) || other.contains(one)) continue;
      if ([one, other].some(box => box.closest(".guide-top"))) continue;  // stays while the rest scrolls below it
      const over = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      const side = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      if (side > 2 && over > 0.45 * Math.min(a.height, b.height)) found.add(`lies over ${name(other)}: ${name(one)}`);
    }
  });
  return [...found];
}
"""


@dataclass(frozen=True)
class Room:
    """A window, and the size of letters that the browser was told to use."""

    name: str
    width_px: int
    height_px: int
    letters_px: int = 16

    @property
    def arguments(self) -> list[str]:
        """How Chromium is started with these letters."""
        return [f"--blink-settings=defaultFontSize={self.letters_px},defaultFixedFontSize={self.letters_px * 13 // 16}"]


ROOMS = (
    Room("200 % letters on a phone", 360, 740, 32),
    Room("a phone enlarged twice", 180, 370),
    Room("narrow", 320, 640),
    Room("a phone on its side", 740, 360),
)


async def settle(page: Page, room: Room) -> None:
    """Give the page this window. The letters are the browser's own setting, from its start on (`Room.arguments`)."""
    await page.set_viewport_size({"width": room.width_px, "height": room.height_px})
    await page.wait_for_function(
        "([width, size]) => innerWidth === width && getComputedStyle(document.documentElement).fontSize === size",
        arg=[room.width_px, f"{room.letters_px}px"],
    )


async def unfit(page: Page) -> list[str]:
    """What does not fit on the page as it is now."""
    found: list[str] = await page.evaluate(UNFIT)
    return found
