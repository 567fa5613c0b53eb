# Copyright 2026 The hydranet_ros Authors
# SPDX-License-Identifier: Apache-2.0
"""The exception that carries a message for the user."""


class HydranetError(Exception):
    """
    A fault that the user can mend.

    Its text is one sentence that names the thing at fault and says what to do. Commands print
    it and exit non-zero without a traceback; the node logs it and stays up.
    """
