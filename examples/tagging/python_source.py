"""Reads Python source: the tokens of each logical line, with the colour a good editor would give them as labels.

The tokens come from `tokenize`; what a name stands for comes from `ast` and from the names that the whole file binds,
of which the tagger sees nothing: it has one logical line to tell a method from a variable, a module or a class.

| label | tokens |
|---|---|
| `keyword` `number` `operator` `string` `comment` | as in the grammar |
| `docstring` | a string that documents its module, class or function |
| `function` `class` | a name being defined by `def` or `class`; `class` also where such a class of the file is used |
| `parameter` | a parameter being declared, or named in a call: `f(key=1)` |
| `self` | the first parameter of a method, and its uses there |
| `decorator` | the names of `@functools.wraps` |
| `builtin` | a name from `builtins` that the file does not bind itself |
| `module` | the names in `import a.b` and `from a.b import ...`, and uses of an imported module |
| `method` `attribute` | a name after a dot that is called, or is not |
| `call` | any other name that is called |
| `variable` | any other name |
"""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tagging.sentence import CorpusError, Sentence

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DOCUMENTED = (ast.Module, ast.ClassDef, *FUNCTIONS)

# f-strings come in parts from Python 3.12 on; an editor gives all of them the string's colour.
_STRINGS = {
    "STRING",
    "FSTRING_START",
    "FSTRING_MIDDLE",
    "FSTRING_END",
    "TSTRING_START",
    "TSTRING_MIDDLE",
    "TSTRING_END",
}
_LABELS = {"OP": "operator", "NUMBER": "number", "COMMENT": "comment", **dict.fromkeys(_STRINGS, "string")}

Position = tuple[int, int]


def read_python(path: str | Path) -> list[Sentence]:
    """Reads a Python file's logical lines with their labels.

    Args:
        path: The file.

    Returns:
        One sentence a logical line. A comment that does not end one is a sentence by itself.

    Raises:
        CorpusError: If the file is no valid Python of the running version.
    """
    return label_python(read_source(path), str(path))


def read_source(path: str | Path) -> str:
    """Reads a Python file in whatever encoding its first lines declare.

    Args:
        path: The file.

    Returns:
        Its text.

    Raises:
        CorpusError: If the file cannot be decoded.
    """
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be decoded as Python source: {error}") from error


def split_python(source: str, name: str = "<source>") -> list[Sentence]:
    """Cuts Python source into unlabelled logical lines. Only its tokens need to be valid.

    Args:
        source: The program or a piece of one.
        name: What to call the input in error messages.

    Returns:
        One sentence a logical line, with the positions of its tokens.

    Raises:
        CorpusError: If the source cannot be cut into tokens.

    Example:
        >>> split_python("x = f(1)  # one")[0].words
        ('x', '=', 'f', '(', '1', ')', '# one')
    """
    return [
        Sentence(tuple(token.string for token in line), positions=tuple(_position(token) for token in line))
        for line in _logical_lines(source, name)
    ]


def label_python(source: str, name: str = "<source>") -> list[Sentence]:
    r"""Cuts Python source into logical lines and labels each token, as the table above says.

    Args:
        source: A whole program.
        name: What to call the input in error messages.

    Returns:
        One sentence a logical line, with labels and positions.

    Raises:
        CorpusError: If the source is not valid Python.

    Example:
        >>> label_python("import os\nprint(os.getcwd())")[1].labels
        ('builtin', 'operator', 'module', 'operator', 'method', 'operator', 'operator', 'operator')
    """
    try:
        known = _labels_from_tree(source)
    except (SyntaxError, ValueError) as error:
        raise CorpusError(f"{name}: not valid Python for this interpreter: {error}") from error
    sentences = []
    for line in _logical_lines(source, name):
        words = tuple(token.string for token in line)
        positions = tuple(_position(token) for token in line)
        labels = [known.get(position) or _label_from_token(line, index) for index, position in enumerate(positions)]
        sentences.append(Sentence(words, tuple(labels), positions))
    return sentences


def _logical_lines(source: str, name: str) -> Iterator[list[tokenize.TokenInfo]]:
    line: list[tokenize.TokenInfo] = []
    comment: list[tokenize.TokenInfo] = []  # the last token, if it was one
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            kind = tokenize.tok_name[token.type]
            if kind == "NEWLINE" and (line or comment):
                yield [*line, *comment]
                line = []
            elif comment:  # in the middle of a line, where nobody could tell which words still belong to it
                yield comment
            comment = [token] if kind == "COMMENT" else []
            if kind == "NAME" or (kind in _LABELS and not comment):
                line.append(token)
    except (tokenize.TokenError, SyntaxError) as error:
        raise CorpusError(f"{name}: cannot be cut into Python tokens: {error}") from error
    if line or comment:
        yield [*line, *comment]


def _position(token: tokenize.TokenInfo) -> Position:
    return token.start[0] - 1, token.start[1]


def _label_from_token(line: list[tokenize.TokenInfo], index: int) -> str:
    """Labels what the tree has no position for: defined names, imported modules, keywords, operators."""
    token = line[index]
    kind = tokenize.tok_name[token.type]
    if kind in _LABELS:
        return _LABELS[kind]
    if keyword.iskeyword(token.string) or (index == 0 and keyword.issoftkeyword(token.string)):
        return "keyword"
    before = [token.string for token in line[:index]]
    if before[:1] == ["import"] or (before[:1] == ["from"] and "import" not in before):
        return "module"
    return {"def": "function", "class": "class"}.get(before[-1] if before else "", "variable")


def _labels_from_tree(source: str) -> dict[Position, str]:
    tree = ast.parse(source)
    # ast counts columns in UTF-8 bytes, tokenize in characters; and splitlines() would cut at form feeds too.
    lines = [line.encode() for line in io.StringIO(source)]
    labels: dict[Position, str] = {}

    def put(row: int, byte: int, label: str) -> None:
        labels.setdefault((row - 1, len(lines[row - 1][:byte].decode())), label)

    bindings = _bindings(tree)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    # Outer nodes come first and setdefault keeps what they said: a decorator's names are not seen as calls again.
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            put(node.body[0].lineno, node.body[0].col_offset, "docstring")
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            for decorator in node.decorator_list:
                _put_dotted(decorator.func if isinstance(decorator, ast.Call) else decorator, "decorator", put)
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                _put_self(method, put)
        elif isinstance(node, (ast.arg, ast.keyword)) and node.arg is not None:
            put(node.lineno, node.col_offset, "parameter")
        elif isinstance(node, ast.Attribute):
            start = node.end_col_offset - len(node.attr.encode())
            put(node.end_lineno, start, "method" if id(node) in called else "attribute")
        elif isinstance(node, ast.Name):
            label = bindings.get(node.id) or ("call" if id(node) in called else "variable")
            put(node.lineno, node.col_offset, label)
    return labels


def _bindings(tree: ast.Module) -> dict[str, str]:
    """Says which names of the file are modules, classes of its own, or built in; each name once for the whole file."""
    bindings = dict.fromkeys((name for name in dir(builtins) if not keyword.iskeyword(name)), "builtin")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bindings.pop(node.id, None)
        elif isinstance(node, FUNCTIONS):
            bindings.pop(node.name, None)
        elif isinstance(node, ast.arg):
            bindings.pop(node.arg, None)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bindings[node.name] = "class"
        elif isinstance(node, ast.Import):
            bindings.update((alias.asname or alias.name.partition(".")[0], "module") for alias in node.names)
    return bindings


def _put_dotted(node: ast.expr, label: str, put) -> None:
    while isinstance(node, ast.Attribute):
        put(node.end_lineno, node.end_col_offset - len(node.attr.encode()), label)
        node = node.value
    if isinstance(node, ast.Name):
        put(node.lineno, node.col_offset, label)


def _put_self(method: ast.stmt, put) -> None:
    if not isinstance(method, FUNCTIONS):
        return
    first = (method.args.posonlyargs + method.args.args)[:1]
    static = any(isinstance(name, ast.Name) and name.id == "staticmethod" for name in method.decorator_list)
    if not first or static:
        return
    put(first[0].lineno, first[0].col_offset, "self")
    for node in ast.walk(method):
        if isinstance(node, ast.Name) and node.id == first[0].arg:
            put(node.lineno, node.col_offset, "self")
