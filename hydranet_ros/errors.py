# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The exception whose message is meant for the user."""


class HydranetError(Exception):
    """
    A fault that the user can fix.

    Its text is one sentence that names the cause and says what to do. Commands print it and exit
    non-zero without a traceback; the node logs it and keeps running.
    """
