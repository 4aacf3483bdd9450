"""`make bench-cpu OLD=<binary>`: what another build of tablesync and this one cost in CPU, for the same rows into the same target.

CPU is user and system seconds of the process alone (wait4), so that PostgreSQL, the source and other programs on the machine disturb little; what
is left of the disturbance is met by running pairs, old and new in turns with the first one alternating, and by medians. Each run is a full first
load of `customer` into an empty target and a merge after 1 % of the rows have changed at the source; both builds must leave the same rows.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from side_by_side import BUILT, CHECKSUM, TARGET_TABLE, measure, psql, stand_in, write_config

TASKS = ("first load", "merge, 1 % changed")


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as work:
        config = write_config(Path(work))
        sides = {side: [binary.resolve(), "--config", config, "multi_sync", "--tables=customer", "--json"]
                 for side, binary in (("old", arguments.old), ("new", arguments.new))}
        served = {"tls": arguments.tls, "binary": arguments.stand_in}
        with stand_in(arguments.rows, 0, **served) as now, stand_in(arguments.rows, 1, **served) as later:
            sources = dict(zip(TASKS, (now, later)))
            pairs = [one_pair(turn, sides, sources, arguments.rows) for turn in range(arguments.pairs)]
    print_results(pairs, arguments)


def parse_arguments():
    parser = argparse.ArgumentParser(description="CPU of two builds of tablesync")
    parser.add_argument("--old", type=Path, required=True, help="the build to compare with")
    parser.add_argument("--new", type=Path, default=BUILT / "tablesync")
    parser.add_argument("--stand-in", type=Path, default=BUILT / "tds-stand-in")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--tls", choices=("off", "full"), default="off")
    return parser.parse_args()


def one_pair(turn, sides, sources, rows):
    """Old and new once each; gives CPU seconds by side and task."""
    cpu, checksums = {}, {}
    for side in sides if turn % 2 == 0 else reversed(sides):
        psql("DROP SCHEMA IF EXISTS tablesync CASCADE; DROP TABLE IF EXISTS mctm_customer; " + TARGET_TABLE)
        for task, source in sources.items():
            psql("CHECKPOINT")
            cpu[side, task] = measure(sides[side], {**os.environ, **source})["cpu"]
            checksum = psql(CHECKSUM)
            if not checksum.startswith(f"{rows}:") or checksums.setdefault(task, checksum) != checksum:
                raise SystemExit(f"{task}, {side}: the rows that arrived are not those of the other build")
    print(f"  pair {turn + 1}: " + ", ".join(f"{task} {side} {cpu[side, task]:.2f} s" for task in sources for side in sides), file=sys.stderr)
    return cpu


def print_results(pairs, arguments):
    print(f"{len(pairs)} pairs of {arguments.rows:,} rows of customer, TLS {arguments.tls}; medians of CPU seconds per million rows")
    print(f"{'task':20}{'old':>9}{'new':>9}{'new/old':>9}   spread of new/old in a pair")
    for task in TASKS:
        per_million = {side: statistics.median(cpu[side, task] for cpu in pairs) * 1_000_000 / arguments.rows for side in ("old", "new")}
        ratios = [cpu["new", task] / cpu["old", task] for cpu in pairs]
        print(f"{task:20}{per_million['old']:>9.3f}{per_million['new']:>9.3f}{per_million['new'] / per_million['old']:>9.3f}"
              f"   {min(ratios):.3f} to {max(ratios):.3f}, median {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
