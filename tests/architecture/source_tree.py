"""The product's source as the architecture tests see it: packages, modules, and the files that Git would track."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("triage", "models", "inference", "dicom_gateway", "storage", "worklist", "validation", "deploy")


@dataclass(frozen=True)
class Module:
    """One Python file, named by its path below the repository's root."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def dotted_name(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def product_modules() -> list[Module]:
    """Return every module of the product, in the order of their paths."""
    files = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    own = (file for file in files if "node_modules" not in file.parts)
    return [Module(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in own]


def tracked_files() -> list[Path]:
    """Return the files that Git tracks or would track: those in the index, and new ones that it does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return sorted(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())


def require_none(complaints: list[str]) -> None:
    """Fail with every complaint on a line of its own."""
    assert not complaints, "\n" + "\n".join(complaints)


def code_run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node that importing a module evaluates; bodies of functions and lambdas are not among them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            at_import = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
            for part in at_import:
                yield part
                yield from code_run_at_import(part)
        elif not isinstance(node, ast.Lambda) and not _is_main_block(node):
            yield node
            yield from code_run_at_import(node)


def _is_main_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
