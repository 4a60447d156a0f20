"""Reads the specification's TOML and makes settings of it: `foryou config import`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from foryou.config_import_keys import KEYS, ROOT, Setting, Unused
from foryou.settings import SystemSettings

_TABLE = re.compile(r"^\s*\[(?!\[)([^\]\"']+)\]\s*(?:#.*)?$")
_KEY = re.compile(r"^(\s*)([A-Za-z0-9_.-]+(?:[ \t]+[A-Za-z0-9_.-]+)+)(\s*=)")


class ConfigImportError(Exception):
    """The file is not there, is no TOML, is not of this layout, or holds a value that no setting takes."""


@dataclass(frozen=True, slots=True)
class Imported:
    """settings: nested, as `foryou.toml` holds them. used: setting by key. unused: reason by key.

    repairs: what had to be read otherwise than it was written, a line each.
    """

    settings: dict[str, Any]
    used: dict[str, str]
    unused: dict[str, str]
    repairs: list[str]


def import_config(text: str) -> Imported:
    """Make settings of a file's text. Raises ConfigImportError, which names the key."""
    document, repairs = _parse(text)
    if not isinstance(document.get(ROOT), dict):
        raise ConfigImportError(f"there is no table [{ROOT}]: this is not the specification's layout")
    values = dict(_flatten(document))
    order = {f"{ROOT}.{key}": place for place, key in enumerate(KEYS)}
    settings: dict[str, Any] = {}
    used: dict[str, str] = {}
    unused: dict[str, str] = {}
    for key in sorted(values, key=lambda key: order.get(key, len(order))):
        meaning = KEYS.get(key.removeprefix(f"{ROOT}."), Unused("is no key of the specification"))
        if isinstance(meaning, Unused):
            unused[key] = meaning.reason
            continue
        value = _convert(key, meaning, values[key])
        if value is None:
            unused[key] = f"leaves {meaning.name} as it is"
            continue
        for earlier in [other for other, name in used.items() if name == meaning.name]:
            del used[earlier]
            unused[earlier] = f"{key} decides {meaning.name}"
        used[key] = meaning.name
        _put(settings, meaning.name, value)
    _check(settings, used)
    return Imported(settings, used, unused, repairs)


def write_toml(imported: Imported, source: str) -> str:
    """Return the text of `foryou.toml`: the settings, and as comments what was not used and why."""
    lines = [f"# Made from {source} by `foryou config import`."]
    lines += [f"# {repair}" for repair in imported.repairs]
    lines += ["", *_table_lines(imported.settings, ())]
    if imported.unused:
        lines += ["# Not used:"]
        lines += [f"# {key}: {reason}" for key, reason in imported.unused.items()]
    return "\n".join(lines) + "\n"


def run_config_import(source: Path, target: Path, *, force: bool = False) -> dict[str, Any]:
    """Read `source`, write `target`, and return a flat report: each key with what became of it.

    Raises ConfigImportError; a target that is there is only replaced with `force`.
    """
    try:
        text = source.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigImportError(f"{source} cannot be read: {error}") from error
    if target.exists() and not force:
        raise ConfigImportError(f"{target} is there already: --force replaces it, --out names another")
    imported = import_config(text)
    target.write_text(write_toml(imported, source.name))
    report: dict[str, Any] = {
        "written": str(target),
        "used": len(imported.used),
        "not_used": len(imported.unused),
        "repaired": "; ".join(imported.repairs),
    }
    report |= {key: f"-> {name}" for key, name in imported.used.items()}
    report |= {key: f"not used: {reason}" for key, reason in imported.unused.items()}
    return report


def _parse(text: str) -> tuple[dict[str, Any], list[str]]:
    """Read TOML; where a name has a space inside, which TOML forbids, read it without and say so."""
    try:
        return tomllib.loads(text), []
    except tomllib.TOMLDecodeError as first:
        repaired, repairs = _repair(text)
        try:
            return tomllib.loads(repaired), repairs
        except tomllib.TOMLDecodeError as error:
            raise ConfigImportError(f"is no TOML: {first if not repairs else error}") from error


def _repair(text: str) -> tuple[str, list[str]]:
    lines, repairs = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        name, mended = _mend(line)
        if name:
            repairs.append(f"line {number}: {name!r} is read as {''.join(name.split())!r}")
        lines.append(mended)
    return "\n".join(lines), repairs


def _mend(line: str) -> tuple[str, str]:
    """Return the broken name of a line, empty where there is none, and the line as it must be."""
    table = _TABLE.match(line)
    if table and any(len(part.split()) > 1 for part in table[1].split(".")):
        name = table[1].strip()
        return name, f"[{''.join(name.split())}]"
    key = _KEY.match(line)
    if key:
        return key[2], f"{key[1]}{''.join(key[2].split())}{key[3]}{line[key.end() :]}"
    return "", line


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _convert(key: str, meaning: Setting, value: Any) -> Any:
    try:
        return meaning.convert(value)
    except ValueError as error:
        raise ConfigImportError(f"{key}: {error}") from error


def _put(settings: dict[str, Any], name: str, value: Any) -> None:
    *sections, last = name.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
    settings[last] = value


def _check(settings: dict[str, Any], used: Mapping[str, str]) -> None:
    """Let the settings' own models judge, and name the key of the file that is wrong."""
    try:
        SystemSettings.model_validate(settings)
    except ValidationError as error:
        keys = {name: key for key, name in used.items()}
        problems = []
        for problem in error.errors(include_url=False):
            name = ".".join(map(str, problem["loc"]))
            problems.append(f"{keys.get(name, name)} ({name}): {problem['msg']}")
        raise ConfigImportError("\n".join(problems)) from error


def _table_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [
        f"{name} = {json.dumps(value)}" for name, value in table.items() if not isinstance(value, Mapping)
    ]
    if lines and path:
        lines = [f"[{'.'.join(path)}]", *lines, ""]
    elif lines:
        lines.append("")
    for name, value in table.items():
        if isinstance(value, Mapping):
            lines += _table_lines(value, (*path, name))
    return lines
