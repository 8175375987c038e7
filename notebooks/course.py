"""Run, execute and store, retarget, render: ``python notebooks/course.py -h``; ``make`` calls it.

The work is done in ``coursekit``.
"""

from __future__ import annotations

import argparse
import errno
import signal
from pathlib import Path

from coursekit import generated, running, student
from coursekit.files import HERE, read

BUILD = HERE.root / "build"


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line; ``do`` is the function of the chosen command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, do, about: str, out: str = "") -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=about)
        command.set_defaults(do=do)
        if out:
            command.add_argument("--out", type=lambda p: Path(p).resolve(), default=BUILD / out)
        return command

    command = add("run", _run, "execute one notebook into build/, print its result table", "run")
    command.add_argument("name")
    command.add_argument("--profile", default="laptop", choices=("smoke", "laptop", "full"))
    command = add("execute", _execute, "run in the laptop profile, store outputs, records, times")
    command.add_argument("names", nargs="*", help="names or numbers; all without")
    command = add("retarget", _retarget, "set the repository's address in badges, install cells")
    command.add_argument("repository", nargs="?", help="owner/name; without it: git remote")
    command = add("own-address", _own_address, "what a fork's workflow calls: retarget if needed")
    command.add_argument("repository", help="owner/name of the copy that this is")
    command = add("sync", _sync, "rewrite what is generated from course.yml and the records")
    command.add_argument("--check", action="store_true", help="change nothing, fail if stale")
    add("student", _student, "versions without solutions and outputs", "student")
    add("book", _book, "the website from stored outputs: make book", "book")
    add("slides", _slides, "a deck for each notebook with tagged cells: make slides", "slides")
    command = add("assignment", _assignment, "for Otter-Grader: make assignment", "assignment")
    command.add_argument("names", nargs="+", help="numbers of notebooks")
    command = add("changed", _changed, "what a submission changed besides the answers")
    command.add_argument("handout", type=Path, help="the notebook as it was handed out")
    command.add_argument("submissions", type=Path, nargs="+", help="notebooks as handed in")
    add("spelling", _spelling, "misspelt words, and American ones in prose: make spelling")
    command = add(
        "paper", _paper, "an invented paper to audit (notebook 13), with its key", "paper"
    )
    command.add_argument("number", type=int, help="another number is another paper")
    command = add("tag-slides", _tag_slides, "tag cells of notebooks that have no slides yet")
    command.add_argument("names", nargs="+", help="numbers of notebooks")
    return parser


def _run(given) -> None:
    running.run(HERE, given.name, given.profile, given.out)


def _execute(given) -> None:
    running.execute(HERE, given.names)


def _retarget(given) -> None:
    address = generated.retarget(HERE, given.repository)
    print(f"the course now points at {address}; commit the changed files")


def _own_address(given) -> None:
    address = generated.own_address(HERE, given.repository)
    print(f"the course now points at {address}" if address else "nothing to retarget")


def _sync(given) -> None:
    stale = generated.sync(HERE, given.check)
    if given.check and stale:
        raise SystemExit(f"stale: {', '.join(stale)}; run python notebooks/course.py sync")
    print("rewritten: " + ", ".join(stale) if stale else "nothing to rewrite")


def _student(given) -> None:
    student.student(HERE, given.out)


def _book(given) -> None:
    from coursekit import book

    print(book.build(HERE, given.out))


def _slides(given) -> None:
    from coursekit import slides

    print(slides.build(HERE, given.out))


def _assignment(given) -> None:
    from coursekit import assignment

    for folder in assignment.assign(HERE, given.names, given.out):
        print(folder)


def _changed(given) -> None:
    from coursekit import assignment

    handout = read(given.handout)
    for path in given.submissions:
        found = assignment.changed(handout, read(path))
        print("\n  ".join([f"{path.name}: {len(found) or 'nothing'} besides the answers", *found]))


def _spelling(given) -> None:
    from coursekit import spelling

    spelling.check(HERE, BUILD / "spelling")


def _paper(given) -> None:
    from coursekit import paper

    for path in paper.write(HERE, given.number, given.out):
        print(path)


def _tag_slides(given) -> None:
    from coursekit import slides

    slides.tag(HERE, given.names)


def main() -> None:
    """Do what the command line says."""
    given = command_line().parse_args()
    signal.signal(signal.SIGTERM, _stop)
    try:
        given.do(given)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        place = f" ({error.filename})" if error.filename else ""
        raise SystemExit(f"{error.strerror}{place}: what was stored before is as it was") from None


def _stop(number, frame) -> None:
    """Ended from outside: what was begun is tidied up, as after Ctrl-C."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
