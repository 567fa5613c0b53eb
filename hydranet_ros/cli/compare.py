# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""``hydranet compare``: compare reports of several models or commits."""

from __future__ import annotations

import argparse
from pathlib import Path

from hydranet_ros.cli.common import positive
from hydranet_ros.errors import HydranetError, naming_write_faults

HELP = 'compare reports of the same recording, with confidence intervals of the differences'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'reports',
        nargs='+',
        type=Path,
        metavar='REPORT',
        help='two or more reports of evaluate-bag or replay (folder or report.json); each is '
        'compared with the first',
    )
    parser.add_argument(
        '--block',
        type=positive,
        metavar='N',
        help='number of neighbouring frames that the bootstrap draws together, because they are '
        'similar (default: square root of the number of frames)',
    )
    parser.add_argument(
        '--draws', type=positive, default=2000, help='bootstrap draws (default: 2000)'
    )
    parser.add_argument(
        '--confidence',
        type=float,
        default=0.95,
        help='confidence level of the intervals (default: 0.95)',
    )
    parser.add_argument(
        '-o',
        '--output',
        type=Path,
        help='also write the comparison into this file: .html, else Markdown',
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    from hydranet_ros.evaluation.comparison import (
        compare_reports,
        comparison_table,
        faults_of_reports,
        read_report,
    )

    if len(arguments.reports) < 2:
        raise HydranetError('Give two reports or more.')
    if not 0 < arguments.confidence < 1:
        raise HydranetError(f'--confidence must be between 0 and 1, not {arguments.confidence:g}.')
    reports = [read_report(path) for path in arguments.reports]
    comparisons = [
        compare_reports(
            reports[0],
            report,
            draws=arguments.draws,
            confidence=arguments.confidence,
            block=arguments.block,
        )
        for report in reports[1:]
    ]
    names = _names(arguments.reports)
    table = comparison_table(names, comparisons, arguments.confidence)
    faults = faults_of_reports(names, reports)
    table = '\n'.join([table, *faults])
    print(table)
    if arguments.output is not None:
        if arguments.output.suffix == '.html':
            from hydranet_ros.evaluation.html_report import html_comparison

            table = html_comparison(names, comparisons, arguments.confidence, faults)
        with naming_write_faults(arguments.output):
            arguments.output.write_text(table, encoding='utf-8')
    return 0


def _names(paths: list[Path]) -> list[str]:
    """Return the names of the reports in the table: their folders."""
    return [str(path.parent if path.name == 'report.json' else path) for path in paths]
