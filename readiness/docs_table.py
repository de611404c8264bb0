"""The README's table of settings, made from `readiness.settings.SETTINGS`. Run it to print the table."""

from __future__ import annotations

import sys

from readiness.settings import SETTINGS

__all__ = ["settings_table"]


def settings_table() -> str:
    """Return the Markdown table, one row for each setting."""
    rows = ["| variable | flag | default | meaning |", "|---|---|---|---|"]
    for setting in SETTINGS:
        variable = f"`{setting.variable}`" + (f" or `{setting.variable}_FILE`" if setting.secret else "")
        default = f"`{setting.default}`" if setting.default else ""
        rows.append(f"| {variable} | `{setting.flag}` | {default} | {setting.help} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(settings_table())
