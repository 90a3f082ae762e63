"""Which machine of a training job this process is, read from TF_CONFIG. No TensorFlow is imported here.

TF_CONFIG is ``{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}``. Kubeflow's TFJob
sets it in every pod; under SLURM ``python -m tfface.cluster HOST...`` prints it, see examples/.
"""

import json
import os
import sys
from typing import NamedTuple

from tfface.errors import InputError, exit_code

ROLES = ("chief", "worker")  # in the order in which TensorFlow numbers them
EXPECTED = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'


class Place(NamedTuple):
    """One process among those that train together."""

    number: int
    roles: dict  # of the processes in their order: {role: how many}

    @property
    def chief(self):
        """Whether this process is the first one, which writes the run directory, saves and scores."""
        return self.number == 0


def place(environment=os.environ):
    """Returns the `Place` of this process.

    Raises:
        InputError: TF_CONFIG is missing, no JSON, or names no place for this process.
    """
    text = environment.get("TF_CONFIG")
    if not text:
        raise InputError(f"TF_CONFIG: is not set; --strategy multiworker expects {EXPECTED}", page="scaling.md")
    try:
        config = json.loads(text)
        machines = {role: config["cluster"][role] for role in ROLES if config["cluster"].get(role)}
        role, index = config["task"]["type"], config["task"]["index"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _wrong("is not what was expected") from None
    if others := set(config["cluster"]) - set(ROLES):
        raise _wrong(f"names {', '.join(sorted(others))}: every process trains, as a worker")
    for given in machines.values():
        if not isinstance(given, list) or not all(isinstance(one, str) and _is_address(one) for one in given):
            raise _wrong("has addresses that are not host:port")
    addresses = sum(machines.values(), [])  # as TensorFlow numbers them: chiefs first
    if len(set(addresses)) < len(addresses):
        raise _wrong("names an address twice")
    if role not in machines or type(index) is not int or not 0 <= index < len(machines[role]):
        raise _wrong(f"has no {role} number {index} in its cluster")
    return Place(addresses.index(machines[role][index]), {role: len(given) for role, given in machines.items()})


def _is_address(text):
    host, colon, port = text.rpartition(":")
    return bool(host and colon) and port.isdigit() and 0 < int(port) < 65536


def _wrong(what):
    return InputError(f"TF_CONFIG: {what}; expected {EXPECTED}", page="scaling.md")


def from_slurm(hosts, environment=os.environ):
    """Returns the TF_CONFIG of this task of a SLURM job step, one task on each host, as a dict.

    The port follows from the job's number, so that two jobs on one host do not meet.

    Args:
        hosts: names of the job's hosts in their order, as ``scontrol show hostnames`` prints them.
        environment: SLURM's variables SLURM_JOB_ID, SLURM_NTASKS and SLURM_PROCID are read.

    Raises:
        InputError: not within ``srun``, or another number of tasks than one on each host.
    """
    try:
        job, tasks, number = (int(environment[f"SLURM_{name}"]) for name in ("JOB_ID", "NTASKS", "PROCID"))
    except (KeyError, ValueError):
        raise InputError("SLURM_JOB_ID, SLURM_NTASKS, SLURM_PROCID: are set by srun; run this within it") from None
    if tasks != len(hosts):
        raise InputError(f"SLURM_NTASKS={tasks}: expected one task on each of {len(hosts)} hosts (--ntasks-per-node=1)")
    port = 20000 + job % 10000
    return {
        "cluster": {"worker": [f"{host}:{port}" for host in hosts]},
        "task": {"type": "worker", "index": number},
    }


if __name__ == "__main__":
    sys.exit(exit_code(lambda: print(json.dumps(from_slurm(sys.argv[1:])))))
