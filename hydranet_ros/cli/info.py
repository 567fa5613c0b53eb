# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet info``: print the contents of a model file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
import textwrap
from typing import Any, TYPE_CHECKING

from hydranet_ros.cli.common import image_size
from hydranet_ros.errors import HydranetError

if TYPE_CHECKING:
    from hydranet_ros.model.bundle import Bundle, BundleMetadata

HELP = 'print the contents of a model file'

_SCREEN_WIDTH = 100
_MAIN_FIGURES = ('mean_iou', 'abs_rel', 'rmse', 'delta1', 'mean')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('model', help='model file, or the name of a shipped model')
    parser.add_argument(
        '--size',
        type=image_size,
        default=(1200, 350),
        metavar='WxH',
        help='image size for which operations are counted (default: 1200x350)',
    )
    parser.add_argument(
        '--legend',
        type=Path,
        metavar='FILE.png',
        help='also write a picture with the colours and names of the classes',
    )
    parser.add_argument('--label-set', help="label set of the legend (default: the model's first)")
    parser.add_argument(
        '--all',
        action='store_true',
        help='also print class colours, the recipe and all metrics',
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the report, and write the legend if requested."""
    from hydranet_ros.model.bundle import Bundle
    from hydranet_ros.model.exported_model import read_model
    from hydranet_ros.resources import model_path

    path = model_path(arguments.model)
    bundle = read_model(path)
    if not isinstance(bundle, Bundle):
        raise HydranetError(
            f'{path} is an exported graph; give the .safetensors file of the model '
            f'{bundle.metadata.name!r} instead.'
        )
    print(describe(bundle, arguments.size, everything=arguments.all))
    if not arguments.all:
        print('\nUse --all to print class colours, the recipe and all metrics.')
    if arguments.legend is not None:
        write_legend(bundle, arguments.label_set, arguments.legend)
    return 0


def write_legend(bundle: Bundle, label_set: str | None, path: Path) -> None:
    """
    Write the colours and names of a model's classes as a PNG.

    ``label_set`` names one of the model's label sets; None for the first.
    """
    from hydranet_ros.data.media import write_image
    from hydranet_ros.pictures.render import legend

    piece = bundle.metadata.label_slice(label_set)
    if piece is None:
        raise HydranetError(f'Model {bundle.metadata.name!r} has no classes to draw a legend for.')
    if path.suffix.lower() != '.png':
        raise HydranetError(f'The legend is a PNG file and must end in .png: {path}.')
    write_image(path, legend(piece.labels))


def describe(bundle: Bundle, size: tuple[int, int], *, everything: bool = False) -> str:
    """
    Describe a model in text; operations are for an image of ``size`` (width and height).

    With ``everything``, the text has all provenance and figures; else it fits a screen.
    """
    from hydranet_ros.model.network import count_macs, count_parameters

    metadata = bundle.metadata
    network = bundle.network()
    width, height = size
    macs = count_macs(network, height, width)
    rows: list[tuple[str, Any]] = [
        ('model', metadata.name),
        ('file', f'{bundle.path}'),
        ('sha256', bundle.sha256),
        ('licence', metadata.license),
        ('tasks', ', '.join(f'{name} ({count})' for name, count in metadata.tasks.items())),
        ('encoder', metadata.architecture),
        ('parameters', f'{count_parameters(network):,}'),
        ('operations', f'{macs / 1e9:.2f} G multiply-accumulates at {width}x{height}'),
        ('normalisation', f'mean {_numbers(metadata.mean)}, std {_numbers(metadata.std)}'),
        ('interpolation', metadata.interpolation),
        ('upsampling', metadata.upsampling),
    ]
    if 'depth' in metadata.tasks:
        minimum, maximum = metadata.depth_range
        rows.append(('depth range', f'{minimum:g} to {maximum:g} m'))
        canonical = metadata.canonical_focal
        rows.append(
            (
                'canonical focal length',
                f'{canonical:g} px'
                if canonical
                else 'none: depth is metric for the training camera only',
            )
        )
        if metadata.default_focal:
            at = metadata.default_size
            of = f' at {at[0]}x{at[1]}' if at else ''
            rows.append(('assumed focal length', f'{metadata.default_focal:g} px{of}'))
    if metadata.focal_range:
        lowest, highest = metadata.focal_range
        rows.append(('trained focal lengths', f'{lowest:.0f} to {highest:.0f} px'))
    rows += _everything(metadata) if everything else _summary(metadata)
    indent = max(len(key) for key, _ in rows) + 2
    if everything:
        return '\n'.join(f'{key:{indent}}{value}' for key, value in rows)
    return '\n'.join(
        textwrap.fill(
            f'{key:{indent}}{value}',
            _SCREEN_WIDTH,
            subsequent_indent=' ' * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for key, value in rows
    )


def _summary(metadata: BundleMetadata) -> Iterator[tuple[str, Any]]:
    """Yield label sets, how the model was made, and its main figures."""
    for piece in metadata.label_slices:
        classes = ', '.join(piece.labels.classes)
        yield f'label set {piece.labels.name}', f'{piece.labels.size} classes: {classes}'
    made = metadata.provenance
    if data := made.get('data'):
        parts = (f'{name} ({content["images"]})' for name, content in data.items())
        yield 'trained on', ', '.join(parts) + ' images'
    for key, value in made.items():
        if isinstance(value, str | int):
            yield key.replace('_', ' '), value
    for place, figures in metadata.figures.items():
        if isinstance(figures, dict):
            main = {name: figures[name] for name in _MAIN_FIGURES if name in figures}
            yield place, ', '.join(f'{name} {value:.3g}' for name, value in main.items())


def _everything(metadata: BundleMetadata) -> Iterator[tuple[str, Any]]:
    """Yield label sets with the colours of their classes, all provenance and all figures."""
    for piece in metadata.label_slices:
        labels = piece.labels
        where = f'logits {piece.start} to {piece.stop - 1}, ignored id {labels.ignore_id}'
        yield f'label set {labels.name}', where
        for index, (name, color) in enumerate(zip(labels.classes, labels.colors, strict=True)):
            yield f'  {index:3d} {name}', 'rgb ' + ' '.join(f'{int(v):3d}' for v in color)
    for title, content in (('provenance', metadata.provenance), ('figures', metadata.figures)):
        yield from _flatten(title, content)


def _numbers(values: tuple[float, ...]) -> str:
    return ' '.join(f'{value:g}' for value in values)


def _flatten(title: str, content: Any) -> list[tuple[str, Any]]:
    """Turn nested mappings into rows ``title.key.key``."""
    if not isinstance(content, dict):
        return [(title, content)]
    return [row for key, value in content.items() for row in _flatten(f'{title}.{key}', value)]
