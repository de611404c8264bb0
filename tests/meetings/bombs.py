"""Files that cost more than they weigh; `python -m tests.meetings.bombs` prints what each costs whose name it reads."""

from __future__ import annotations

import json
import os
import resource
import sys

from readiness.errors import InputError
from readiness.meetings.reading import read_file

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n"
EVENT = "BEGIN:VEVENT\r\nUID:u\r\nDTSTART:20261220T100000Z\r\n{}ATTENDEE:mailto:a@b.example\r\nEND:VEVENT\r\n"
ZONED = EVENT.format("").replace(":20261220T100000Z", ";TZID=X:20261220T100000")
DAILY = (
    "BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nRRULE:FREQ=DAILY\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n"
    "END:STANDARD\r\n"
)
YEARLY = DAILY.replace("DAILY", "YEARLY;BYMONTH=3;BYDAY=-1SU")
DATES = "RDATE:" + ",".join(["20260101T000000"] * 55_000)
SECONDS = "YEARLY;BYSECOND=" + ",".join(["1"] * 300_000)
MAIL = "From: a\r\nSubject: b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"


def zone(rules: str) -> str:
    return f"BEGIN:VTIMEZONE\r\nTZID:X\r\n{rules}END:VTIMEZONE\r\n"


def event(lines: str = "") -> str:
    return EVENT.format(lines)


BOMBS = {
    "50 daily rules of a zone": HEAD + zone(DAILY * 50) + ZONED,
    "6,000 daily rules of a zone": HEAD + zone(DAILY * 6000) + ZONED,
    "60 yearly rules in 1,900 entries": HEAD + zone(YEARLY * 60) + ZONED * 1900,
    "60 yearly rules, each entry in another year": HEAD + zone(YEARLY * 60) + "".join(
        ZONED.replace("2026", str(1901 + year)).replace("UID:u", f"UID:{year}") for year in range(299)
    ),
    "a zone's rule by 300,000 seconds": HEAD + zone(DAILY.replace("DAILY", SECONDS)) + ZONED,
    "55,000 dates of a zone": HEAD + zone(DAILY.replace("RRULE:FREQ=DAILY", DATES)) + ZONED,
    "a rule by 300,000 seconds": HEAD + event(f"RRULE:FREQ={SECONDS}\r\n"),
    "450,000 categories": HEAD + event("CATEGORIES:" + ",".join(["a"] * 450_000) + "\r\n"),
    "70,000 nested components": HEAD + "BEGIN:VTODO\r\n" * 70_000,
    "90,000 components nested in an event": HEAD + "BEGIN:VEVENT\r\n" * 1900 + "BEGIN:X\r\n" * 90_000,
    "34,000 attendees": HEAD + event("ATTENDEE:mailto:a@b.example\r\n" * 34_000),
    "240,000 parameters": HEAD + event("ATTENDEE" + ";A=B" * 240_000 + ":mailto:a@b.example\r\n"),
    "900,000 quotes": HEAD + event("ATTENDEE;CN=" + '"' * 900_000 + ":mailto:a@b.example\r\n"),
    "100,000 schemes": HEAD + event("ATTENDEE;CN=" + ":mailto:" * 100_000 + "a@b.example\r\n"),
    "240,000 folds": HEAD + event("DESCRIPTION:" + "\r\n a" * 240_000 + "\r\n"),
    "70,000 links": HEAD + event("DESCRIPTION:" + "https://a.b " * 70_000 + "\r\n"),
    "900,000 brackets after a link": HEAD + event("LOCATION:https://x.example/" + ")" * 900_000 + "\r\n"),
    "300,000 soft line ends": HEAD + event("SUMMARY;ENCODING=QUOTED-PRINTABLE:" + "=\r\n" * 300_000),
    "900,000 carets": HEAD + event("ATTENDEE;CN=" + "^" * 900_000 + ":mailto:a@b.example\r\n"),
    "970,000 colons": HEAD + "A" * 20 + ":" * 970_000,
    "980,000 empty lines": "BEGIN:VCALENDAR\n" + "\n" * 980_000,
    "16,000 calendars in a mail": MAIL + "--b\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n" * 16_000,
    "16,000 nested mails": MAIL + "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 16_000,
    "an open quote in a table": 'starts;role\n"' + "a" * 900_000,
    "990,000 cells in a row": "starts;role\n" + ";" * 990_000,
    "100,000 rows without a time": "starts;role\n" + ";patient\n" * 100_000,
    "38,000 rows": "starts;role\n" + "2027-01-01 10:00;patient\n" * 38_000,
}  # fmt: skip
DEAR = "From: a\r\nSubject: b\r\nContent-Type: text/calendar" + "; a*0*=b" * 110_000 + "\r\n\r\n" + HEAD + event()
"""What costs more than it may: parameters of a mail's header, which the library joins in quadratic time."""


def cost_of(raw: bytes) -> dict[str, float | str]:
    """Return CPU seconds, the growth of memory in MiB and what came of a file, read in a process of its own."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF)
        try:
            wanted, bad = read_file(raw)
            said = f"{len(wanted)} wanted, {len(bad)} bad"
        except InputError as error:
            said = error.code
        except BaseException as error:
            said = repr(error)[:200]
        after = resource.getrusage(resource.RUSAGE_SELF)
        told = {
            "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
            "mib": (after.ru_maxrss - before.ru_maxrss) // 1024,
            "said": said,
        }
        os.write(theirs, json.dumps(told).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        told = json.loads(pipe.read())
    os.waitpid(child, 0)
    return told


if __name__ == "__main__":
    read_file((HEAD + ZONED.replace("TZID=X", "TZID=W. Europe Standard Time")).encode())  # what is loaded once
    for name in sys.stdin:
        print(json.dumps(cost_of(BOMBS[name.rstrip("\n")].encode())), flush=True)
