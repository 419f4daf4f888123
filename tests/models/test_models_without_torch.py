"""Servers must start without torch: importing it costs seconds of CPU time per rank (D13)."""

import subprocess
import sys

import pytest

BODIES = {
    "importing the packages": "import guanyu_mpi.models, guanyu_mpi.data",
    "a server's cnnet": "from guanyu_mpi.models import describe\n"
    "describe('cnnet', {}, 1).initial_params()",
    "a server's resnet18-gn": "from guanyu_mpi.models import describe\n"
    "describe('resnet18-gn', {}, 1).initial_params()",
    "a server's mlp": "from guanyu_mpi.models import describe\n"
    "describe('mlp', {}, 1).initial_params()",
    "a quadratic worker": "from guanyu_mpi.models import describe, objective\n"
    "objective('quadratic', {}, 1).gradient(describe('quadratic', {}, 1).initial_params(), 0, 0)",
    "a logistic worker": "from guanyu_mpi.models import describe, objective\n"
    "objective('logistic', {}, 1).gradient(describe('logistic', {}, 1).initial_params(), 0, 0)",
    "batches of a shipped data set": "from guanyu_mpi.data import Batches, load\n"
    "Batches(load('mnist-small')[0], 8, 1)(0, 0)",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_torch_is_imported_only_for_gradients_of_networks(body):
    assert imports_torch(body) == "False"


def test_the_check_above_sees_torch_when_it_is_imported():
    body = (
        "import numpy as np\nfrom guanyu_mpi.models import objective\n"
        "from guanyu_mpi.data import load\ntrain, test = load('mnist-small')\n"
        "objective('mlp', {}, 1, batches=lambda worker, step: None, test=test)"
    )
    assert imports_torch(body) == "True"


def imports_torch(body: str) -> str:
    code = f"import sys\n{body}\nprint('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
