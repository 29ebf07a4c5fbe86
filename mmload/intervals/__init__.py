"""Statements about proportions, percentiles and means that say how sure they are.

Pure functions on counts and small arrays. Not aware of requests, of phases, or of what a proportion is
about. Unless a name says otherwise, ``confidence`` is two-sided; a ``*_lower`` or ``*_upper`` is one-sided.
"""

from mmload.intervals.betting import against_mean
from mmload.intervals.bootstrap import percentile_interval, resampled, two_way_error
from mmload.intervals.clusters import Clustered, clustered_ratio, clustered_share
from mmload.intervals.distributions import beta_quantile, betainc, binomial_cdf, normal_quantile, t_quantile
from mmload.intervals.estimate import CERTIFY, CONFIDENCE, Estimate
from mmload.intervals.percentiles import (
    certifying_n,
)
from mmload.intervals.proportions import (
    clopper_pearson,
    clopper_pearson_lower,
    clopper_pearson_upper,
    wilson,
    wilson_bound_n,
)
from mmload.intervals.pvalues import benjamini_hochberg, holm, mcnemar, student_p, two_sided_p

__all__ = [
    "CERTIFY",
    "CONFIDENCE",
    "Clustered",
    "Estimate",
    "against_mean",
    "benjamini_hochberg",
    "beta_quantile",
    "betainc",
    "binomial_cdf",
    "certifying_n",
    "clopper_pearson",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "clustered_ratio",
    "clustered_share",
    "holm",
    "mcnemar",
    "normal_quantile",
    "percentile_interval",
    "resampled",
    "student_p",
    "t_quantile",
    "two_sided_p",
    "two_way_error",
    "wilson",
    "wilson_bound_n",
]
