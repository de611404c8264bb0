"""``readiness organisation``: adds or changes an organisation, by the same rules as its page of settings."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from readiness.settings import Settings
from readiness.texts import LANGUAGES

__all__ = ["add_organisation"]

OWN_TEXTS: Final = {
    "checklist": "the leader's points for the start",
    "technical_host": "the technical host's points",
    "emergency": "what to do in an emergency",
    "privacy": "the privacy notice for participants",
}
"""An organisation's own texts in place of ours, and what each is."""
LINES: Final = {
    "name": "name as participants know it; a new one needs it",
    "support-phone": "whom to call when it does not work; a new one needs it",
    "support-hours": "when somebody answers, such as 'man-fre 08-15'",
    "closed-days": "days when nobody does besides public holidays, such as '24.12, 27.12-30.12'",
    "clinic-phone": "whom to call for another time or a meeting in person",
    "clinic-contact": "whom to ask for there",
    "languages": f"languages offered, first the default [{','.join(LANGUAGES)}]",
    "time-zone": "zone that meeting times are shown in [Europe/Oslo]",
    "links-off": "links that open nothing: support,organiser,room_manager, or '' for none",
}
CHOSEN: Final = {
    "routine-link": "address of its own routine of support, https; '' for none",
    "routine-name": "what that link is called; '' for our words",
    "notice-legal": "the law that the privacy notice names; '' for our words",
    "notice-dpo": "its data protection officer in the privacy notice; '' for our words",
    "figures-months": "months that figures are kept, 3 to 13; '' for the most",
}
"""Lines that are stored among its choices."""
CHOICES: Final = {
    "drop-in": ("drop_in_allowed", "tests without an invitation"),
    "ask-afterwards": ("asks_afterwards", "ask participants how the meeting went"),
}


def add_organisation(commands: Any) -> argparse.ArgumentParser:
    """Add the command and return its parser."""
    organisation: argparse.ArgumentParser = commands.add_parser(
        "organisation",
        help="add or change the organisation that people can call",
        description="Add an organisation, or change it: what is left out stays as it is.",
    )
    organisation.add_argument("--slug", required=True, help="short name in links, such as sunnaas")
    for name, text in LINES.items():
        organisation.add_argument(f"--{name}", help=text)
    for name, text in OWN_TEXTS.items():
        flag = f"--{name.replace('_', '-')}"
        organisation.add_argument(
            flag, action="append", default=[], metavar="LANGUAGE=FILE.md", help=f"own text: {text}; Markdown"
        )
    for name, text in CHOSEN.items():
        organisation.add_argument(f"--{name}", help=text)
    organisation.add_argument(
        "--clinic", action="append", default=[], metavar="UNIT=NUMBER[;CONTACT]",
        help="whom a unit's participants call for another time; 'UNIT=' for the organisation's",
    )  # fmt: skip
    organisation.add_argument(
        "--limit", action="append", default=[], metavar="PROFILE/CHECK/warn|fail=NUMBER",
        help="own limit of a check, such as consultation/network.rtt/fail=220; without a number ours",
    )  # fmt: skip
    organisation.add_argument(
        "--dry-run",
        action="store_true",
        help="save nothing; say how other limits would have judged the last weeks' tests",
    )
    for name, (stored, text) in CHOICES.items():
        organisation.add_argument(f"--{name}", dest=stored, action=argparse.BooleanOptionalAction, help=text)
    organisation.set_defaults(run=_organisation)
    return organisation


def _organisation(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.gsm import carried, foreign  # noqa: PLC0415 - keeps --help quick
    from readiness.meetings.manage_organisation import own_clinics, own_limits, own_texts, set_organisation  # noqa: PLC0415
    from readiness.meetings.own_settings import is_readable, typed_of  # noqa: PLC0415

    names = [*(name.replace("-", "_") for name in LINES), *(stored for stored, _ in CHOICES.values())]
    given = {name: getattr(options, name) for name in names}
    typed = {name: typed_of(value) for name, value in given.items() if value is not None}
    texts = own_texts({name: getattr(options, name) for name in OWN_TEXTS})
    chosen = {name: getattr(options, name) for name in (one.replace("-", "_") for one in CHOSEN)}
    chosen = {f"choices/{name}": value for name, value in chosen.items() if value is not None}
    typed |= texts | chosen | own_limits(options.limit)
    clinics = own_clinics(options.clinic)
    if options.dry_run:
        for line in _looked(settings, options.slug, typed, clinics):
            print(line)  # noqa: T201 - this is the command's output
        return 0
    stored = asyncio.run(set_organisation(settings, options.slug, typed, clinics))
    print(f"saved {stored.slug} in {settings.database_shown}")  # noqa: T201 - this is the command's output
    if not is_readable(stored.support_hours):
        note = "pages show this as it is; written as 'man-fre 08-15' they also say when a closed phone opens"
        print(f"readiness: --support-hours: {note}", file=sys.stderr)  # noqa: T201
    if strange := foreign(stored.name):
        note = f"SMS carry no {strange!r}: with this name each takes up to twice as many parts, so keep it short"
        print(f"readiness: --name: {note}", file=sys.stderr)  # noqa: T201
    elif carried(stored.name) != stored.name:
        print(f"in SMS it is written {carried(stored.name)!r}")  # noqa: T201
    return 0


def _looked(settings: Settings, slug: str, typed: dict[str, str], clinics: dict[str, object]) -> Iterator[str]:
    """Yield the lines that the page of settings has before limits are saved, in English."""
    from readiness.meetings.manage_organisation import wish_of  # noqa: PLC0415 - keeps --help quick
    from readiness.server.limits_view import LimitsView, previews  # noqa: PLC0415
    from readiness.texts import catalogue  # noqa: PLC0415
    from reports.render.words import Words  # noqa: PLC0415
    from reports.store.stored_figures import figures_since  # noqa: PLC0415

    now = datetime.now(tz=UTC)
    wish = asyncio.run(wish_of(settings, slug, typed, clinics, now=now))
    words = Words(catalogue("en"), "en")
    if made := previews(wish.before, wish.after, wish.tests):
        look = LimitsView(wish.before, words).look(made, figures_since(now), "")
        yield look["since"]
        for profile in look["profiles"]:
            yield f"{profile['title']}: {profile['said']}"
            for group in profile["groups"]:
                yield f"  {'. '.join(filter(None, (group['title'], group['few'])))}"
                yield from (f"    {row['name']}: {row['before']} -> {row['after']}" for row in group["rows"])
    yield words.t("settings.look.unsaved")
