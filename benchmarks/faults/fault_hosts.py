"""Several hosts on one machine: network namespaces, whose links can be cut and healed.

They are made by programs that are no part of this project, in the directory that the option
--hosts-tools or the variable GUANYU_HOSTS_TOOLS names: `hosts_up.sh K` makes namespaces gn1 to gnK
with links gv1 to gvK and addresses 10.77.0.1 to K, `hosts_down.sh` removes them, and
`hosts_agent.sh ADDRESS COMMAND` runs a command in one.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fault_plan import Cut

from guanyu_mpi.journal import rank_log
from guanyu_mpi.metrics import read_events

TOOLS_VARIABLE = "GUANYU_HOSTS_TOOLS"
PROGRAMS = ("hosts_up.sh", "hosts_down.sh", "hosts_agent.sh")
NETWORK = "10.77.0"
# Ranks per host where hosts take turns: a server, a worker, and on the first the observer.
SLOTS = 3


def why_not(tools: str) -> str:
    """Why there can be no hosts here, or nothing."""
    missing = [name for name in PROGRAMS if not (Path(tools) / name).is_file()]
    if not tools or missing:
        return f"no {', '.join(missing)}: set --hosts-tools or {TOOLS_VARIABLE}"
    if os.geteuid() != 0:
        return "network namespaces need root"
    return "" if shutil.which("ip") else "there is no program ip (iproute2)"


@contextmanager
def hosts(tools: str, count: int, directory: Path) -> Iterator[dict[str, str]]:
    """Hosts that are up; yields the variables that make mpirun use them, in turn."""
    up = subprocess.run(
        ["bash", str(Path(tools) / "hosts_up.sh"), str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    if up.returncode != 0:
        raise SystemExit(f"no hosts: {up.stderr.strip()}")
    file = directory / "hosts"
    lines = [f"{NETWORK}.{host} slots={SLOTS}\n" for host in range(1, count + 1)]
    file.write_text("".join(lines), encoding="ascii")
    try:
        yield {
            "PRTE_MCA_plm": "ssh",
            "PRTE_MCA_plm_ssh_agent": str(Path(tools) / "hosts_agent.sh"),
            "PRTE_MCA_prte_if_include": f"{NETWORK}.0/24",
            "PRTE_MCA_prte_default_hostfile": str(file),
            "PRTE_MCA_rmaps_default_mapping_policy": "node:OVERSUBSCRIBE",
            "OMPI_MCA_btl": "self,tcp",
            "OMPI_MCA_btl_tcp_if_include": f"{NETWORK}.0/24",
        }
    finally:
        down = ["bash", str(Path(tools) / "hosts_down.sh")]
        subprocess.run(down, capture_output=True, check=False)


class Scissors:
    """Cuts a host's link once the run has begun to train, and heals it."""

    def __init__(self, cut: Cut) -> None:
        self.cut_at_step: int | None = None
        self.healed_at_step: int | None = None
        self._cut = cut
        self._training_s: float | None = None

    def look(self, run_dir: Path) -> None:
        """Do what is due; steps are those of a server that is not cut off."""
        step = _step(run_dir, 1 if self._cut.host == 0 else 0)
        if step is None:
            return
        now_s = time.monotonic()
        self._training_s = self._training_s or now_s
        elapsed_s = now_s - self._training_s - self._cut.after_s
        if self.cut_at_step is None and elapsed_s >= 0:
            self.cut_at_step = step
            _link(self._cut.host, "down")
        elif self.healed_at_step is None and elapsed_s >= self._cut.duration_s:
            self.heal(step)

    def heal(self, step: int) -> None:
        """Put the link up again; also where the run has ended first."""
        if self.healed_at_step is None:
            self.healed_at_step = step
            _link(self._cut.host, "up")


def _step(run_dir: Path, rank: int) -> int | None:
    """The last step that a server has told, once it has told one."""
    steps = [event.get("step") for event in read_events(rank_log(run_dir, rank))]
    return max((step for step in steps if isinstance(step, int)), default=None)


def _link(host: int, state: str) -> None:
    # Hosts are counted from 1, as their addresses are.
    subprocess.run(["ip", "link", "set", f"gv{host + 1}", state], check=True)
