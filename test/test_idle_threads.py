"""How threads wait is chosen before PyTorch reads it, for nodes and commands alike."""

import os
import subprocess
import sys

import pytest

from etam_ros.idle_threads import WAITING


def environment(chosen):
    kept = {name: value for name, value in os.environ.items() if name not in WAITING}
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path), **chosen}


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, "OMP_WAIT_POLICY=passive"),
        ({"OMP_WAIT_POLICY": "active"}, "OMP_WAIT_POLICY=active"),
        ({"GOMP_SPINCOUNT": "7"}, "GOMP_SPINCOUNT=7"),
    ],
)
def test_idle_threads_sleep_unless_the_user_chose_otherwise(chosen, said):
    program = (
        "from etam_ros.idle_threads import let_idle_threads_sleep, threads_in_words\n"
        "let_idle_threads_sleep(); print(threads_in_words())"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=environment(chosen), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"1 threads, {said}"


def test_a_command_of_etam_lets_them_sleep_before_torch_is_there():
    program = (
        "import os, sys\n"
        "from etam_ros.cli import main\n"
        "code = main.run(['--version'])\n"
        "print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment({}), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "passive False"
