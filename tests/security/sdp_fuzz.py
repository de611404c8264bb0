"""Grammar-aware mutation of recorded offers, each through policy, peer and close (RTC-2).

``python [-O] -m tests.security.sdp_fuzz COUNT SEED`` prints one JSON object. Half of the offers go through the policy,
half go past it, straight to the peer, so that the wrapping around aiortc is tried too.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from readiness.media import aiortc_private
from readiness.media.limits import Budget
from readiness.media.loopback import Loopback, NoMediaPort, SdpRejected
from tests.patience import PATIENCE_S

FOLDER = Path(__file__).parents[1] / "data" / "offers"
OFFERS = [path.read_bytes().decode() for path in sorted(FOLDER.glob("*.sdp"))]
WARM_UP = 150
"""Offers before memory is compared: caches, arenas and the first handshakes' tables."""
CODES = re.compile(r"sdp\.[a-z][a-z0-9_]{1,20}|ports_exhausted|address_unavailable")
NUMBERS = ("0", "-1", "65536", "4294967296", "9" * 30, "1e9", "0x10", "", " ")
JUNK = ("", " ", ":", "/", "a=", "\x00", "é", "\u2028", "%s", "x" * 300, "-", "BUNDLE", "candidate", "\r", "\t")
LINES = (
    "a=ice-lite", "a=end-of-candidates", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host", "a=candidate:1",
    "a=setup:active", "a=setup:passive", "a=setup:holdconn", "a=fingerprint:sha-256 AA", "a=fingerprint:md5 00",
    "a=fingerprint:", "a=group:BUNDLE", "a=group:BUNDLE 9", "a=group:", "a=mid:", "a=mid:0", "a=rtcp:x",
    "a=extmap:x y", "a=extmap:0 u", "a=extmap:999999 u", "a=rtpmap:96", "a=rtpmap:96 /", "a=rtpmap:x VP8/90000",
    "a=fmtp:1 x", "a=fmtp:96 apt=x", "a=rtcp-fb:* nack", "a=rtcp-fb:", "a=ssrc:x", "a=ssrc:1 cname",
    "a=ssrc-group:FID", "a=ssrc-group:FID x", "a=sctp-port:x", "a=sctpmap:x", "a=sctpmap:5000 y",
    "a=max-message-size:x", "a=msid:x", "a=msid-semantic:", "a=ice-pwd:", "a=ice-ufrag:é", "c=IN IP4 999.9.9.9",
    "c=x", "m=video 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP 0", "m=application 9 DTLS/SCTP 5000",
    "m=application 9 DTLS/SCTP x", "m=video 9 UDP/TLS/RTP/SAVPF 72", "m=x", "v=1", "=",
)  # fmt: skip


def mutate(rng: random.Random) -> str:
    """Return a recorded offer with one to four things wrong, or right in an unusual way."""
    lines = rng.choice(OFFERS).split("\r\n")
    for _ in range(rng.randint(1, 4)):
        rng.choice(MUTATIONS)(rng, lines)
    return rng.choices(("\r\n", "\n", "\r"), (20, 3, 1))[0].join(lines)


def _delete(rng: random.Random, lines: list[str]) -> None:
    del lines[rng.randrange(len(lines)) : rng.randrange(len(lines)) if rng.random() < 0.05 else None]
    lines.append("")


def _delete_one(rng: random.Random, lines: list[str]) -> None:
    lines.pop(rng.randrange(len(lines)))
    lines.append("")


def _repeat(rng: random.Random, lines: list[str]) -> None:
    lines.insert(rng.randrange(len(lines)), rng.choice(lines))


def _swap(rng: random.Random, lines: list[str]) -> None:
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _insert(rng: random.Random, lines: list[str]) -> None:
    lines.insert(rng.randrange(len(lines)), rng.choice(LINES))


def _replace(rng: random.Random, lines: list[str]) -> None:
    lines[rng.randrange(len(lines))] = rng.choice(LINES)


def _number(rng: random.Random, lines: list[str]) -> None:
    index = rng.choice([at for at, line in enumerate(lines) if re.search(r"\d", line)] or [0])
    found = list(re.finditer(r"\d+", lines[index]))
    if found:
        spot = rng.choice(found)
        lines[index] = lines[index][: spot.start()] + rng.choice(NUMBERS) + lines[index][spot.end() :]


def _token(rng: random.Random, lines: list[str]) -> None:
    index = rng.randrange(len(lines))
    parts = re.split(r"([ :=/;])", lines[index])
    parts[rng.randrange(len(parts))] = rng.choice(JUNK)
    lines[index] = "".join(parts)


def _cut(rng: random.Random, lines: list[str]) -> None:
    index = rng.randrange(len(lines))
    lines[index] = lines[index][: rng.randrange(len(lines[index]) + 1)]


def _splice(rng: random.Random, lines: list[str]) -> None:
    other = rng.choice(OFFERS).split("\r\n")
    start = rng.randrange(len(other))
    at = rng.randrange(len(lines))
    lines[at:at] = other[start : start + rng.randint(1, 30)]


def _repeat_section(rng: random.Random, lines: list[str]) -> None:
    starts = [at for at, line in enumerate(lines) if line.startswith("m=")]
    if starts:
        lines += lines[rng.choice(starts) :]


MUTATIONS = (
    _delete_one, _delete_one, _repeat, _swap, _insert, _insert, _replace, _number, _number, _token, _token, _cut,
    _splice, _repeat_section, _delete,
)  # fmt: skip


async def try_offer(offer: str, *, bypass: bool) -> str:
    """Return ``answered`` or the code of the refusal; anything else that is raised is a finding."""
    peer = Loopback((("127.0.0.1", "127.0.0.1"),), None, budget=Budget(), on_event=lambda state, code: None)
    try:
        await (peer.answer_unchecked(offer) if bypass else peer.answer(offer))
    except (SdpRejected, NoMediaPort) as error:
        return error.code
    finally:
        await peer.close()
    return "answered"


async def run(count: int, seed: int) -> dict[str, Any]:
    """Try `count` offers and return what was seen."""
    rng = random.Random(seed)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    aiortc_private.extend_tables()
    codes: dict[str, Counter[str]] = {"policy": Counter(), "bypass": Counter()}
    found: list[str] = []
    slowest_cpu_s = 0.0
    before: dict[str, int] = {}
    for number in range(WARM_UP + count):
        if number == WARM_UP:
            before = await resources()
        bypass = number % 2 == 1
        offer = mutate(rng)
        if bypass:  # a name would be looked up by multicast, for seconds: the policy's business
            offer = offer.replace(".local", ".invalid")
        started = time.process_time()
        try:
            code = await asyncio.wait_for(try_offer(offer, bypass=bypass), PATIENCE_S)
            codes["bypass" if bypass else "policy"][code] += 1
            if code != "answered" and not CODES.fullmatch(code):
                found.append(f"{number}: code {code}")
        except Exception as error:
            found.append(f"{number}: {type(error).__name__}: {error}")
        slowest_cpu_s = max(slowest_cpu_s, time.process_time() - started)
    return {
        "optimised": not __debug__, "tried": count, "found": found, "slowest_cpu_s": round(slowest_cpu_s, 3),
        "codes": codes, "before": before, "after": await resources(),
    }  # fmt: skip


async def resources() -> dict[str, int]:
    """Return descriptors, asyncio tasks and resident memory in kB, once things have settled."""
    for _ in range(20):
        await asyncio.sleep(0.05)
        if len(asyncio.all_tasks()) == 1:
            break
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return {
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "tasks": len(asyncio.all_tasks()),
        "rss_kb": int(status.split("VmRSS:")[1].split()[0]),
    }


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(json.dumps(asyncio.run(run(int(sys.argv[1]), int(sys.argv[2])))))
