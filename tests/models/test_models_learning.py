"""Model and data together: plain SGD on them learns."""

import numpy as np

from guanyu_mpi.data import Batches, load
from guanyu_mpi.models import describe, objective


def test_sgd_on_the_shipped_data_learns_digits():
    train, test = load("mnist-small")
    problem = objective("mlp", {}, 1, batches=Batches(train, 64, 1), test=test)
    params = describe("mlp", {}, 1).initial_params()
    before = problem.evaluate(params)
    for step in range(150):
        params -= np.float32(0.1) * problem.gradient(params, step % 3, step)[1]
    after = problem.evaluate(params)
    assert before.accuracy < 0.3
    assert after.accuracy > 0.85
    assert after.loss < 0.6 * before.loss
