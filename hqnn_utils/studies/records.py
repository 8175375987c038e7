"""The former place of ``hqnn_utils.records``; goes when notebooks 08 and 12 are made anew."""

from hqnn_utils.records import write_json_atomically  # noqa: F401
