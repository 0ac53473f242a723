"""Kinds of pages: what a site's files are made by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from leaderboard.site import Content


@dataclass(frozen=True, slots=True)
class PageKind:
    """Files of one kind: the path of each, relative to the site, and what makes the file of a path."""

    paths: Callable[[Content], Iterable[str]]
    render: Callable[[Content, str], str | bytes]
