"""Record offers of the installed browsers: ``python -m tests.data.offers.record [chromium] [firefox]``.

Chromium runs under playwright, Firefox ESR headless with WebDriver BiDi over a plain WebSocket. Each gives three:
``page`` (as the self-test: data and video down, before gathering), ``full`` (audio, video and data both ways) and
``gathered`` (with candidates). Addresses are replaced by one of RFC 5737; the browsers' random mDNS names stay.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from tests.media.browsers import Evaluate, chromium, firefox

HERE = Path(__file__).parent
KINDS = ("page", "full", "gathered")
SCRIPT = """
async () => {
  const kind = "KIND";
  const pc = new RTCPeerConnection({ iceServers: [] });
  if (kind !== "page") pc.addTransceiver("audio", { direction: "sendrecv" });
  pc.addTransceiver("video", { direction: kind === "page" ? "recvonly" : "sendrecv" });
  pc.createDataChannel("clock", { ordered: false, maxRetransmits: 0 });
  await pc.setLocalDescription(await pc.createOffer());
  if (kind === "gathered") {
    await new Promise((done) => {
      if (pc.iceGatheringState === "complete") done();
      pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && done();
      setTimeout(done, 3000);
    });
  }
  const sdp = pc.localDescription.sdp;
  pc.close();
  return sdp;
}
"""


async def record(browser: str, evaluate: Evaluate) -> None:
    """Write one browser's offers, without an address of the machine they were made on."""
    for kind in KINDS:
        sdp = await evaluate(SCRIPT.replace("KIND", kind))
        sdp = re.sub(r"(?<![\d.])(?!0\.0\.0\.0|127\.0\.0\.1)\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", "192.0.2.1", sdp)
        (HERE / f"{browser}-{kind}.sdp").write_bytes(sdp.encode())
        print(f"{browser}-{kind}: {len(sdp)} bytes, {sdp.count('a=candidate')} candidates")


async def main(names: list[str]) -> None:
    """Record the browsers named, or both."""
    if "chromium" in names:
        async with chromium("about:blank") as evaluate:
            await record("chromium", evaluate)
    if "firefox" in names:
        with tempfile.TemporaryDirectory() as profile:
            async with firefox("about:blank", profile) as evaluate:
                await record("firefox", evaluate)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["chromium", "firefox"]))
