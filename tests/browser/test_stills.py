"""The page's own stills in a real browser: also of a picture that its JPEG encoder cannot make small enough."""

from __future__ import annotations

from tests.browser.conftest import Launch, LiveServer

STILL_OF_NOISE = """
async ({ width, height, step }) => {
  const script = document.querySelector("link[href$='checks/picture.js']").href;
  const { ROOM, smallStill, stillSize } = await import(script);
  const full = Object.assign(document.createElement("canvas"), { width, height });
  const pixels = new ImageData(width, height);
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let i = 0; i < pixels.data.length; i += 4) {
    const luma = 120 + step * (random() - 0.5) + 40 * Math.sin(i / 977);
    pixels.data.set([luma, luma, luma, 255], i);
  }
  full.getContext("2d").putImageData(pixels, 0, 0);
  const sizes = [];
  const toJpeg = async (quality, longSide_px) => {
    const canvas = Object.assign(document.createElement("canvas"), stillSize(width, height, longSide_px));
    canvas.getContext("2d").drawImage(full, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    sizes.push([quality, longSide_px, blob.size]);
    return new Uint8Array(await blob.arrayBuffer());
  };
  const still = await smallStill({ toJpeg }, ROOM);
  const seen = still && (await createImageBitmap(new Blob([still], { type: "image/jpeg" })));
  return { sizes, bytes: still?.length ?? 0, width: seen?.width ?? 0, height: seen?.height ?? 0 };
}
"""


async def test_a_room_too_lively_for_the_lowest_quality_is_sent_smaller(live_server: LiveServer, chromium: Launch):
    """At 1280 px and quality 0.2 it is over 60 kB; what is sent is not, and has the same shape."""
    browser = await chromium()
    page = await browser.new_page()
    await page.goto(live_server.drop_in)
    for width, height in ((1280, 1090), (853, 1280)):
        found = await page.evaluate(STILL_OF_NOISE, {"width": width, "height": height, "step": 60})
        lowest = {(quality, side): bytes_ for quality, side, bytes_ in found["sizes"]}[0.2, 1280]
        assert lowest > 60_000
        assert 10_000 < found["bytes"] <= 60_000
        assert 640 <= max(found["width"], found["height"]) < 1280
        assert abs(found["width"] / found["height"] - width / height) < 0.01
