"""Run, execute and store, retarget, render: ``python notebooks/course.py -h``; ``make`` calls it.

The work is done in ``coursekit``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from coursekit.files import HERE
from coursekit.generated import own_address, retarget, sync
from coursekit.running import execute, run
from coursekit.student import student


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_subparsers(dest="command", required=True).add_parser
    command = add("run", help="execute one notebook into build/, print its result table")
    command.add_argument("name")
    command.add_argument("--profile", default="laptop")
    command.add_argument("--out", type=Path, default=HERE.root / "build" / "run")
    command = add("execute", help="run in the laptop profile, store outputs, records and times")
    command.add_argument("names", nargs="*", help="names or numbers; all without")
    command = add("retarget", help="set the repository's address in badges and install cells")
    command.add_argument("repository", nargs="?", help="owner/name; without it: git remote")
    command = add("own-address", help="what a fork's workflow calls: retarget where it is needed")
    command.add_argument("repository", help="owner/name of the copy that this is")
    command = add("sync", help="rewrite what is generated from course.yml and the records")
    command.add_argument("--check", action="store_true", help="change nothing, fail if stale")
    command = add("student", help="versions without solutions and outputs")
    command.add_argument("--out", type=Path, default=HERE.root / "build" / "student")
    command = add("book", help="the website from stored outputs; needs notebooks/book/requirements")
    command.add_argument("--out", type=Path, default=HERE.root / "build" / "book")
    command = add("slides", help="a deck of slides for each notebook, from its tagged cells")
    command.add_argument("--out", type=Path, default=HERE.root / "build" / "slides")
    command = add("tag-slides", help="tag cells of notebooks that have no slides yet")
    command.add_argument("names", nargs="+", help="numbers of notebooks")
    return parser


def main() -> None:
    """Do what the command line says."""
    given = command_line().parse_args()
    if given.command == "run":
        run(HERE, given.name, given.profile, given.out.resolve())
    elif given.command == "execute":
        execute(HERE, given.names)
    elif given.command == "retarget":
        address = retarget(HERE, given.repository)
        print(f"the course now points at {address}; commit the changed files")
    elif given.command == "own-address":
        address = own_address(HERE, given.repository)
        print(f"the course now points at {address}" if address else "nothing to retarget")
    elif given.command == "sync":
        stale = sync(HERE, given.check)
        if given.check and stale:
            raise SystemExit(f"stale: {', '.join(stale)}; run python notebooks/course.py sync")
        print("rewritten: " + ", ".join(stale) if stale else "nothing to rewrite")
    elif given.command == "student":
        student(HERE, given.out.resolve())
    elif given.command == "book":
        from coursekit.book import build

        print(build(HERE, given.out.resolve()))
    elif given.command == "slides":
        from coursekit import slides

        print(slides.build(HERE, given.out.resolve()))
    elif given.command == "tag-slides":
        from coursekit import slides

        slides.tag(HERE, given.names)


if __name__ == "__main__":
    main()
