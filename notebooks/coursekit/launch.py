"""Where a notebook can be opened in a browser; nothing while ``course.yml`` has no address."""

from __future__ import annotations

import re

from coursekit.generated import ON_GITHUB


def source_address(course: dict) -> str:
    """The repository's page on GitHub, empty where the course is not there."""
    repository = course["repository"] or ""
    return f"https://github.com/{repository}" if re.fullmatch(ON_GITHUB, repository) else ""


def launch_links(course: dict, entry: dict) -> dict[str, str]:
    """What a link says, and its address.

    Only what lies on GitHub can be opened by Colab, Kaggle and Binder from its address.
    """
    address = source_address(course)
    if not address:
        return {}
    repository, branch = course["repository"], course["branch"]
    file = f"notebooks/{entry['name']}.ipynb"
    page = f"{address}/blob/{branch}/{file}"
    colab = f"https://colab.research.google.com/github/{repository}/blob/{branch}/{file}"
    return {
        "Open in Colab": colab,
        "Open in Kaggle": f"https://kaggle.com/kernels/welcome?src={page}",
        "Open in Binder": f"https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab/tree/{file}",
        "View source": page,
    }
