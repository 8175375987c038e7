"""Addresses: of the course's copy, and of the places where its notebooks can be opened.

Everything that a reader, an instructor or a workflow gives as an address goes through
``clean_address``; every name of a branch through ``clean_branch``.
"""

from __future__ import annotations

import re
import subprocess

from coursekit.files import Tree

# An address lands in install cells, where IPython and a shell read it: nothing that either of them
# takes for more than a letter is let through.
ON_GITHUB = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})/[A-Za-z0-9._-]{1,100}"
_PATH = r"(?:/[A-Za-z0-9._~+-]+)+"
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?"
ELSEWHERE = rf"https://{_HOST}{_PATH}|ssh://(?:[A-Za-z0-9._-]+@)?{_HOST}{_PATH}|file://{_PATH}"
BRANCH = r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*"
COLAB = "https://colab.research.google.com/github"


def clone_address(course: dict) -> str | None:
    """``git+...`` address for pip, or None while no address is set."""
    if not course["repository"]:
        return None
    repository = clean_address(course["repository"])
    if re.fullmatch(ON_GITHUB, repository):
        repository = f"https://github.com/{repository}"
    return f"git+{repository}@{clean_branch(course['branch'])}"


def source_address(course: dict) -> str:
    """The repository's page on GitHub, empty where the course is not there."""
    repository = clean_address(course["repository"]) if course["repository"] else ""
    return f"https://github.com/{repository}" if re.fullmatch(ON_GITHUB, repository) else ""


def launch_links(course: dict, entry: dict, branch: str = "") -> dict[str, str]:
    """Where a notebook can be opened: what a link says, its address; nothing without an address.

    Only what lies on GitHub can be opened by Colab, Kaggle and Binder from its address. The links
    open the notebook of ``branch``, without it that of the course's own branch.
    """
    branch = clean_branch(branch or course["branch"])
    address = source_address(course)
    if not address:
        return {}
    repository = clean_address(course["repository"])
    file = f"notebooks/{entry['name']}.ipynb"
    page = f"{address}/blob/{branch}/{file}"
    lab = f"{repository}/{branch.replace('/', '%2F')}?urlpath=lab/tree/{file}"
    return {
        "Open in Colab": page.replace("https://github.com", COLAB),
        "Open in Kaggle": f"https://kaggle.com/kernels/welcome?src={page}",
        "Open in Binder": f"https://mybinder.org/v2/gh/{lab}",
        "View source": page,
    }


def remote_address(tree: Tree) -> str:
    """The address of the git remote called origin."""
    command = ["git", "remote", "get-url", "origin"]
    found = subprocess.run(command, cwd=tree.root, capture_output=True, encoding="utf-8")
    if found.returncode:
        raise SystemExit("no git remote called origin: say make retarget REPO=owner/name")
    return found.stdout


def clean_address(repository: str) -> str:
    """``owner/name`` for an address on GitHub, else an address that git can clone.

    SystemExit for anything else: letters, digits and ``._~+-`` between slashes, and no ``..``.
    """
    address = repository.strip().removesuffix("/").removesuffix(".git")
    if match := re.fullmatch(rf"(?:https://|ssh://git@|git@)github\.com[:/]({ON_GITHUB})", address):
        address = match[1]
    is_known = re.fullmatch(rf"{ON_GITHUB}|{ELSEWHERE}", address, re.ASCII)
    if not is_known or any(
        part.strip(".") == "" for part in address.split("://")[-1].split("/")[1:]
    ):
        raise SystemExit(
            f"{address!r} is no address: "
            "give owner/name, or a https, ssh or file address that git can clone"
        )
    return address


def clean_branch(name: str) -> str:
    """The name of a branch as it stands in ``course.yml``; SystemExit for what is none."""
    if not re.fullmatch(BRANCH, str(name), re.ASCII) or ".." in name:
        raise SystemExit(f"{name!r} in course.yml is no name of a branch")
    return name
