"""The scorecard: eight dimensions, each with its measures, its limits, its verdict and its evidence."""

from mmload.scorecard.card import scorecard
from mmload.scorecard.matrix import Criterion, Dimension, Matrix, matrix, read_matrix

__all__ = ["Criterion", "Dimension", "Matrix", "matrix", "read_matrix", "scorecard"]
