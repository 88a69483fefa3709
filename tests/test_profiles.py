"""Ends of profile-likelihood intervals."""

from __future__ import annotations

import numpy as np
import pytest

from cytokine_cc.kernels.profiles import profile_interval

DROP = 3.841458820694124 / 2


def skewed(centre, scale, skew):
    """A concave log-likelihood with its top, 0, at `centre`."""

    def profile(b, rows):
        z, k = (b - centre[rows]) / scale[rows], skew[rows]
        return -(np.expm1(k * z) - k * z) / k**2, -np.expm1(k * z) / k / scale[rows]

    return profile


def rising(b, rows):
    """Rises to 0 as b falls without end."""
    return -np.logaddexp(0, b), -1 / (1 + np.exp(-b))


def test_ends_lie_where_the_likelihood_has_fallen():
    rng = np.random.default_rng(1)
    centre, scale = rng.normal(size=500), np.exp(3 * rng.normal(size=500))
    skew = 0.8 * rng.normal(size=500)
    profile, everywhere = skewed(centre, scale, skew), np.arange(500)
    drop = rng.uniform(0.5, 6, size=500)
    wrong = scale * np.exp(rng.normal(size=500))  # a poor guess of the scale costs steps, not digits
    low, high = profile_interval(profile, centre, wrong, np.zeros(500), drop)
    assert ((low < centre) & (centre < high)).all()
    for end in (low, high):
        np.testing.assert_allclose(profile(end, everywhere)[0], -drop, rtol=2e-11)


def test_a_row_alone_has_the_same_bits():
    rng = np.random.default_rng(2)
    centre, scale, skew = rng.normal(size=30), np.exp(rng.normal(size=30)), rng.normal(size=30)
    together = profile_interval(skewed(centre, scale, skew), centre, scale, np.zeros(30), DROP)
    for k in range(30):
        one = slice(k, k + 1)
        alone = profile_interval(skewed(centre[one], scale[one], skew[one]), centre[one], scale[one], np.zeros(1), DROP)
        assert (alone[0][0], alone[1][0]) == (together[0][k], together[1][k])


@pytest.mark.parametrize("start", [-40.0, 0.0, 40.0, 1000.0])
def test_the_other_end_of_an_open_interval(start):
    low, high = profile_interval(rising, np.full(1, -np.inf), np.ones(1), np.zeros(1), DROP, start=np.full(1, start))
    assert low[0] == -np.inf
    assert high[0] == pytest.approx(np.log(np.expm1(DROP)), rel=1e-12)


def test_a_likelihood_that_never_falls_so_far_leaves_the_end_open():
    low, high = profile_interval(
        lambda b, rows: (-(b**2) / (1 + b**2), -2 * b / (1 + b**2) ** 2), np.zeros(1), np.ones(1), np.zeros(1), DROP
    )
    assert (low[0], high[0]) == (-np.inf, np.inf)


def test_ends_not_sought_and_rows_without_an_estimate():
    normal = skewed(np.zeros(3), np.ones(3), np.full(3, 1e-4))
    estimate = np.array([0.0, np.nan, 0.0])
    low, high = profile_interval(normal, estimate, np.ones(3), np.zeros(3), DROP, open_low=np.array([True, True, False]))
    np.testing.assert_allclose(low, [-np.inf, np.nan, -1.96], atol=1e-3)
    np.testing.assert_allclose(high, [1.96, np.nan, 1.96], atol=1e-3)


def test_no_likelihood_beyond_a_point_is_too_far():
    low, high = profile_interval(
        lambda b, rows: (np.where(np.abs(b) > 2, np.nan, -(b**2) / 2), -b), np.zeros(1), np.full(1, 30.0), np.zeros(1), DROP
    )
    np.testing.assert_allclose([low[0], high[0]], [-1.959963984540054, 1.959963984540054], rtol=1e-12)
