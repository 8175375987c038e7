"""``python -m hqnn_utils``: is everything here that the course needs? One line a package.

OK or FAIL, and behind a FAIL the command that mends it. The exit status is 1 where something fails.
"""

from __future__ import annotations

import sys

from hqnn_utils.runtime import check_environment


def report(rows: list[dict[str, str]]) -> str:
    """The table as text, in columns."""
    width = max(len(row["package"]) for row in rows)
    lines = []
    for row in rows:
        word, remedy = ("OK", "") if is_ok(row) else ("FAIL", row["status"])
        lines.append(f"{word:4}  {row['package']:{width}}  {row['version']:12}  {remedy}".rstrip())
    return "\n".join(lines)


def is_ok(row: dict[str, str]) -> bool:
    """Whether a row of ``check_environment`` needs no remedy."""
    return row["status"].startswith("OK")


def main() -> int:
    """Print the table; returns the exit status."""
    rows = check_environment()
    print(report(rows))
    failed = [row["package"] for row in rows if not is_ok(row)]
    if failed:
        print(f"\n{len(failed)} to mend: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
