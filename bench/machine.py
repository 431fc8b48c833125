"""Where a figure was measured, and how busy the machine was meanwhile."""

import os
import platform
import subprocess
import time


def _cpu_name():
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _memory_gib():
    with open("/proc/meminfo") as info:
        return int(info.readline().split()[1]) / 1024 / 1024


def machine_facts(root):
    commit = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return (f"{time.strftime('%Y-%m-%d')}, commit {commit.stdout.strip() or 'unknown'}; {os.cpu_count()} cores, "
            f"{_cpu_name()}, {_memory_gib():.0f} GiB, Linux {platform.release()}; the load generator runs on the same "
            "machine")


class Business:
    """Of the whole machine since this was made: shares of the CPU time of all cores."""

    def __init__(self):
        self._begin = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat") as stat:
            return [int(field) for field in stat.readline().split()[1:9]]

    def shares(self):
        """Busy and stolen."""
        passed = [end - begin for begin, end in zip(self._begin, self._read())]
        total = sum(passed) or 1
        return 1 - (passed[3] + passed[4]) / total, passed[7] / total
