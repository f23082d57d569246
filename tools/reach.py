"""Which definitions of gmlib a piece of code reaches, and what each of them means.

Names are followed through imports and definitions. Where a module is used as a value,
all that is in it counts; what a module does on import always counts, but for a data set
that declares itself: that is reached where its name stands as a string. A definition is
known by its room and its name: it may move from one file of the room to another.
"""

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from gmlib.fingerprint import digest, meaning, nodes

DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
ON_IMPORT = "(on import)"


@dataclass(eq=False)
class Definition:
    """The statements that bind a name, as a rule one."""

    statements: list = field(default_factory=list)

    @cached_property
    def mark(self):
        return digest(meaning(self.statements))

    @cached_property
    def names(self):
        """The dotted names in it, as tuples."""
        return {name for s in self.statements for name in _dotted(s)}

    @cached_property
    def strings(self):
        """The strings in it: names by which it may ask for a data set."""
        return {text for s in self.statements for text in _strings(s)}

    @cached_property
    def decorators(self):
        lists = [getattr(s, "decorator_list", []) for s in self.statements]
        return {name for found in lists for d in found for name in _dotted(d)}


@dataclass(eq=False)
class Module:
    """The definitions of a source and what it imports."""

    name: str
    imports: dict = field(default_factory=dict)  # name: (module, name there or None)
    definitions: dict = field(default_factory=dict)  # name: Definition


def _dotted(tree):
    """Yield the dotted names in a syntax tree: `a.b.c` as one."""
    inner = set()
    for node in nodes(tree):
        if id(node) in inner:
            continue
        names = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
            inner.add(id(node))
        if isinstance(node, ast.Name):
            yield (node.id, *reversed(names))


def _strings(tree):
    """Yield the strings in a syntax tree."""
    for node in nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _declared(statement):
    """Return the name of the data set that a statement declares, or None."""
    match statement:
        case ast.Expr(ast.Call(ast.Name("declare"), [ast.Constant(name), *_])):
            return name


def _imports(tree, package):
    """Return {name: (module, name there or None)} of what a source imports."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                place = alias.name if alias.asname else alias.name.split(".")[0]
                found[alias.asname or place] = place, None
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            above = parents[: len(parents) - node.level + 1] if node.level else []
            source = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                found[alias.asname or alias.name] = source, alias.name
    return found


def _bound(statement):
    """The names that a statement defines; what defines none happens on import."""
    if isinstance(statement, DEFINED):
        return {statement.name}
    if _declared(statement):
        return {f"data set {_declared(statement)}"}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return set()
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return set()
    inside = list(ast.walk(statement))
    names = {n.id for n in inside if isinstance(n, ast.Name) and _stored(n)}
    names |= {n.name for n in inside if isinstance(n, DEFINED)}
    return (names or {ON_IMPORT}) - {"__all__"}


def _stored(node):
    return isinstance(node.ctx, ast.Store)


@lru_cache(None)
def parse(text, name, package):
    """Return a source as a `Module`; its relative imports start in `package`."""
    tree = ast.parse(text)
    module = Module(name, _imports(tree, package))
    for statement in tree.body:
        for bound in _bound(statement):
            known = module.definitions.setdefault(bound, Definition())
            known.statements.append(statement)
    return module


def library(root):
    """Return the modules of gmlib, {name: Module}."""
    found = {}
    for file in sorted((Path(root) / "gmlib").rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        package = ".".join(parts[:-1])
        name = package if parts[-1] == "__init__" else ".".join(parts)
        found[name] = parse(file.read_text("utf8"), name, package)
    return found


class Reach:
    """What is reached from some code, step by step."""

    def __init__(self, modules):
        self.modules = modules
        self.found = {}  # (module, name): Definition
        self.executed = set()

    def follow(self, module, names):
        """Follow a dotted name that stands in a module."""
        target = self.look_up(module, names[0])
        for name in names[1:]:
            if isinstance(target, Module) and not name.startswith("__"):
                target = self.look_up(target, name) or target
        if isinstance(target, Module):
            self.whole(target)
        elif target:
            self.definition(*target)

    def look_up(self, module, name, seen=()):
        """Return what a name is in a module: a Module, (Module, name) or None."""
        if name in module.definitions:
            return module, name
        if name not in module.imports or (module, name) in seen:
            return self.modules.get(f"{module.name}.{name}")
        source, original = module.imports[name]
        if original is None or source not in self.modules:
            return self.modules.get(source)
        return self.look_up(self.modules[source], original, (*seen, (module, name)))

    def definition(self, module, name):
        """Reach a definition and what it names."""
        if (module.name, name) not in self.found:
            found = self.found[module.name, name] = module.definitions[name]
            self.execute(module)
            for names in found.names:
                self.follow(module, names)
            self.ask(found.strings)

    def ask(self, strings):
        """Reach the data sets of these names."""
        for module in self.modules.values():
            for name in strings:
                if f"data set {name}" in module.definitions:
                    self.definition(module, f"data set {name}")

    def whole(self, module):
        """Reach all of a module, and what it passes on from its room."""
        for name in module.definitions:
            self.definition(module, name)
        for name, (source, _) in module.imports.items():
            if source.startswith(f"{module.name}."):
                self.follow(module, [name])

    def execute(self, module):
        """Reach what a module does on import, and what those do that it imports."""
        if module is None or module.name in self.executed:
            return
        self.executed.add(module.name)
        self.execute(self.modules.get(module.name.rpartition(".")[0]))
        for source, name in module.imports.values():
            self.execute(self.modules.get(source))
            self.execute(self.modules.get(f"{source}.{name}"))
        for name, definition in module.definitions.items():
            # A decorator of gmlib may keep what it decorates.
            own = any(self.look_up(module, d[0]) for d in definition.decorators)
            if own or name == ON_IMPORT:
                self.definition(module, name)


def reached(tree, root):
    """Return {definition of gmlib: eight digits} of all that a source reaches.

    The keys are ``room.name``, as in "data.ring".
    """
    reach, here = Reach(library(root)), Module("", _imports(tree, ""))
    reach.execute(here)
    for names in set(_dotted(tree)):
        reach.follow(here, names)
    reach.ask(set(_strings(tree)))
    marks = defaultdict(list)
    for (module, name), definition in reach.found.items():
        room = module.split(".")[1] if "." in module else module
        marks[f"{room}.{name}"].append(definition.mark)
    return {key: digest(sorted(found))[:8] for key, found in sorted(marks.items())}
