# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Write what the documentation and config/hydranet.yaml repeat from the code: ``make tables``.

A document marks the place of a table with ``<!-- NAME: … -->`` and ``<!-- end of NAME -->``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
import re

from hydranet_ros.cli.main import COMMANDS
from hydranet_ros.launching.process_specs import LAUNCH_ARGUMENTS, REPLAY_ARGUMENTS
from hydranet_ros.node.bag_tools import bag_player, bag_recorder, evaluator_node
from hydranet_ros.node.bag_tools.bag_process import markdown_table as node_table
from hydranet_ros.node.perception import outputs, parameters

CHECKOUT = Path(__file__).resolve().parents[2]


def arguments_table(arguments: Mapping[str, tuple[str, str]]) -> str:
    """Return the arguments of a launch file as a Markdown table."""
    rows = [
        f'| `{name}` | {default and f"`{default}`"} | {description.replace("<", "&lt;")} |'
        for name, (default, description) in arguments.items()
    ]
    return '\n'.join(['| Argument | Default | Meaning |', '|---|---|---|', *rows])


def commands_table() -> str:
    """Return the subcommands of ``hydranet`` as a Markdown table."""
    rows = [f'| `{name}` | {import_module(module).HELP} |' for name, module in COMMANDS.items()]
    return '\n'.join(['| Command | Purpose |', '|---|---|', *rows])


TABLES: dict[str, dict[str, Callable[[], str]]] = {
    'README.md': {'topics': outputs.markdown_table, 'parameters': parameters.markdown_table},
    'docs/reference/node.md': {'launch_arguments': lambda: arguments_table(LAUNCH_ARGUMENTS)},
    'docs/reference/bags.md': {
        'replay_arguments': lambda: arguments_table(REPLAY_ARGUMENTS),
        'bag_player': lambda: node_table(bag_player.PARAMETERS),
        'bag_recorder': lambda: node_table(bag_recorder.PARAMETERS),
        'evaluator_node': lambda: node_table(evaluator_node.PARAMETERS),
    },
    'docs/reference/command_line.md': {'commands': commands_table},
}


def with_table(text: str, name: str, table: str) -> str:
    """Return a document in which the named table is replaced."""
    place = rf'(<!-- {name}:[^\n]*-->\n).*?(<!-- end of {name} -->)'
    result, count = re.subn(
        place, lambda found: f'{found[1]}{table.strip()}\n{found[2]}', text, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f'there are {count} places for the table {name!r}, not one')
    return result


def written_files() -> dict[Path, str]:
    """Return the text that each file must have."""
    files = {CHECKOUT / 'config' / 'hydranet.yaml': parameters.yaml_file()}
    for document, tables in TABLES.items():
        text = (CHECKOUT / document).read_text(encoding='utf-8')
        for name, table in tables.items():
            text = with_table(text, name, table())
        files[CHECKOUT / document] = text
    return files


def main() -> None:
    """Write the files."""
    for path, text in written_files().items():
        path.write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
