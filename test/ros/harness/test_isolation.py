"""Domains are exclusive, on localhost, and given back."""

import subprocess
import sys
from pathlib import Path

from etam_ros.ros.harness.isolation import isolated_domain


def test_two_holders_get_different_domains_on_localhost():
    with isolated_domain() as first, isolated_domain() as second:
        assert first["ROS_DOMAIN_ID"] != second["ROS_DOMAIN_ID"]
        for environment in (first, second):
            assert 1 <= int(environment["ROS_DOMAIN_ID"]) <= 101
            assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"


def test_another_process_is_kept_out_until_exit():
    program = (
        "import os; from etam_ros.ros.harness.isolation import isolated_domain\n"
        "os.getpid = lambda: {pid}\n"  # looks first where this process looked first
        "with isolated_domain() as environment: print(environment['ROS_DOMAIN_ID'])"
    )

    def taken_elsewhere(pid: int) -> str:
        command = [sys.executable, "-c", program.format(pid=pid)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    with isolated_domain() as environment:
        domain = environment["ROS_DOMAIN_ID"]
        same_start = int(domain) - 1
        assert taken_elsewhere(same_start) != domain
    assert taken_elsewhere(same_start) == domain


def test_logs_go_to_a_folder_that_goes_away():
    with isolated_domain() as environment:
        folder = Path(environment["ROS_LOG_DIR"])
        assert folder.is_dir()
    assert not folder.exists()
