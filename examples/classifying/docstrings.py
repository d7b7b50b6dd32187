"""Texts with labels that every machine has: what the standard library says of itself, by chapter."""

from __future__ import annotations

import ast
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path

__all__ = ["CHAPTERS", "read_docstrings"]

# After the chapters of the library's reference. What is in none of them is left out, and so are packages that some
# systems do not install, such as tkinter.
CHAPTERS = {
    "concurrency": "asyncio concurrent multiprocessing threading queue subprocess sched selectors signal",
    "debugging": "unittest doctest pdb bdb trace cProfile profile pstats timeit traceback warnings logging",
    "files": "pathlib tarfile zipfile shutil os posixpath ntpath genericpath tempfile glob fnmatch gzip bz2 lzma "
    "fileinput filecmp _pyio io _compression linecache shelve dbm pickle copyreg csv configparser plistlib netrc",
    "language": "importlib inspect ast typing enum dis pydoc tokenize types abc dataclasses functools collections "
    "_collections_abc contextlib operator reprlib weakref pkgutil zipimport runpy codeop code copy symtable",
    "networks": "http urllib email mailbox smtplib ftplib imaplib poplib socketserver socket ssl xmlrpc wsgiref "
    "ipaddress webbrowser html xml mimetypes uuid base64 cgi nntplib telnetlib",
    "numbers": "_pydecimal decimal fractions statistics numbers random datetime _pydatetime calendar zoneinfo "
    "heapq bisect _strptime colorsys",
}
MODULES = {module: chapter for chapter, modules in CHAPTERS.items() for module in modules.split()}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def read_docstrings(library: Path | None = None) -> tuple[list[tuple[str, str]], list[str]]:
    """Reads every docstring of the standard library's modules in `CHAPTERS`.

    Args:
        library: The folder of the standard library; that of the running Python where None.

    Returns:
        The first paragraph of each with the chapter of its module, in the order of the files, and what comes behind
        the first ones: paragraphs without a label. A text that stands twice is taken once.
    """
    library = library or Path(sysconfig.get_paths()["stdlib"])
    labelled: dict[str, str] = {}
    others: dict[str, None] = {}
    for module, chapter in sorted(MODULES.items()):
        folder = library / module
        for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]:
            for docstring in _docstrings(path) if path.is_file() else ():
                first, *rest = (" ".join(paragraph.split()) for paragraph in docstring.split("\n\n"))
                if first.count(" ") >= 2:
                    labelled.setdefault(first, chapter)
                others.update(dict.fromkeys(paragraph for paragraph in rest if paragraph.count(" ") >= 2))
    return list(labelled.items()), list(others)


def _docstrings(path: Path) -> Iterator[str]:
    try:
        with tokenize.open(path) as file:
            tree = ast.parse(file.read())
    except (SyntaxError, UnicodeDecodeError):
        return  # some of the library's own test files are broken on purpose
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and (docstring := ast.get_docstring(node)):
            yield docstring
