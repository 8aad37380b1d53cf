"""The settings as one flat list, as the documentation shows them.

`python -m tests.architecture.settings_tree` prints the rows of the table in docs/operations.md.
"""

from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from deploy.settings import SettingsFile


@dataclass(frozen=True)
class Setting:
    """One setting: where it stands in the file, its default as TOML writes it, and its one line of documentation."""

    name: str
    default: str
    description: str


def all_settings(section: type[BaseModel] = SettingsFile, prefix: str = "") -> list[Setting]:
    """Return every setting of `section` in file order; those of a list of tables are written `[[peers]].host`."""
    found = []
    for name, field in section.model_fields.items():
        inner = [one for one in (field.annotation, *get_args(field.annotation)) if _is_section(one)]
        if inner and _is_section(field.annotation):
            found += all_settings(inner[0], f"{prefix}{name}.")
        elif inner:
            found += all_settings(inner[0], f"[[{prefix}{name}]].")
        else:
            found.append(Setting(f"{prefix}{name}", _as_toml(field.get_default()), field.description or ""))
    return found


def row(setting: Setting) -> str:
    """Return the row of the table in docs/operations.md that says what `setting` is."""
    cells = (f"`{setting.name}`", f"`{setting.default}`", setting.description)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _as_toml(default: object) -> str:
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, frozenset | tuple):
        return "[" + ", ".join(f'"{one}"' for one in sorted(default)) + "]"
    return f'"{default}"' if isinstance(default, str) else str(default)


if __name__ == "__main__":
    print("\n".join(map(row, all_settings())))
