"""The scorecard: eight dimensions, each with its measures, its limits, its verdict and its evidence."""

from mmload.scorecard.card import TRIAGE_GAIN, scorecard
from mmload.scorecard.matrix import Criterion, Dimension, Matrix, matrix, read_matrix
from mmload.scorecard.scored_by import scored_by

__all__ = [
    "TRIAGE_GAIN",
    "Criterion",
    "Dimension",
    "Matrix",
    "matrix",
    "read_matrix",
    "scorecard",
    "scored_by",
]
