"""Contract tests for those who write a member of an open family: call one from a test of your own.

Not aware of any test runner: a check raises ``AssertionError`` and says what the contract wants.
"""

from mmload.testing.adapters import check_adapter
from mmload.testing.shapes import check_shape

__all__ = ["check_adapter", "check_shape"]
