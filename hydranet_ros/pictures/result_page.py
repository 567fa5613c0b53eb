# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""
Write the results of a run as an HTML page beside their files.

The page needs jinja2 (extra ``report``); without it, only the legends are written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from hydranet_ros.data.media import write_image
from hydranet_ros.errors import naming_write_faults
from hydranet_ros.pictures.panels import Look
from hydranet_ros.pictures.render import depth_legend, legend

PAGE_NAME = 'index.html'


def write_page(
    folder: Path,
    *,
    title: str,
    notes: Sequence[str],
    names: Sequence[str],
    kinds: Sequence[tuple[str, str]],
    look: Look,
    classes: Collection[int],
) -> None:
    """
    Write ``index.html`` with all pictures, the legend of the classes and a bar of metres.

    ``names`` are the frames, ``kinds`` the folders of their pictures with the suffix of the files,
    and ``classes`` the ids in the legend.
    Without the package jinja2, only the legends are written.
    """
    legends = {}
    folders = {kind for kind, _ in kinds}
    if look.label_set is not None and 'segmentation_color' in folders:
        legends['legend.png'] = legend(look.label_set, sorted(classes), 960)
    if 'depth_color' in folders:
        legends['metres.png'] = depth_legend(*look.depth_range, width=640)
    for name, picture in legends.items():
        write_image(folder / name, picture)
    try:
        from jinja2 import Environment, PackageLoader
    except ImportError:
        return
    environment = Environment(loader=PackageLoader('hydranet_ros.pictures'), autoescape=True)
    page = environment.get_template('results.html.jinja').render(
        title=title, notes=notes, names=names, kinds=kinds, legends=list(legends)
    )
    path = folder / PAGE_NAME
    with naming_write_faults(path):
        path.write_text(page, encoding='utf-8')
