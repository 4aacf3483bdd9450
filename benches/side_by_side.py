"""`make bench`: tablesync beside the approach it replaces, same source and same target, in one run.

For TLS off and on: a first load of `customer`, then a merge after 1 % of the rows have changed at the source. Both sides run in turns. Rows a
second count from the start of the process to its end; CPU is the process's own (wait4), and so is peak memory (VmHWM). After every run the target's contents
are compared by checksum, so that a side that loses or alters rows fails the bench.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
TARGET_TABLE = """CREATE TABLE mctm_customer (cd varchar(20) PRIMARY KEY, name varchar(200), nameyomi varchar(200), dairiten_id integer,
    creationtime timestamp(3), modifiedtime timestamp(3), note text)"""
CHECKSUM = "SELECT count(*) || ':' || sum(hashtextextended(t::text, 0)) FROM mctm_customer AS t"


def main():
    arguments = argparse.ArgumentParser(description="tablesync beside what it replaces")
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--repeat", type=int, default=1)
    arguments = arguments.parse_args()
    print_machine(arguments)
    results = []
    with tempfile.TemporaryDirectory() as work:
        config = write_config(Path(work))
        commands = {
            "tablesync": [BUILT / "tablesync", "--config", config, "multi_sync", "--tables=customer", "--json"],
            "replaced": [sys.executable, ROOT / "benches/replaced.py", config],
        }
        for tls in ("off", "full"):
            with stand_in(arguments.rows, 0, tls) as now, stand_in(arguments.rows, 1, tls) as later:
                for turn in range(arguments.repeat):
                    results += one_turn(tls, commands, {"first load": now, "merge, 1 % changed": later}, arguments.rows, turn)
    print_results(results, arguments.rows)


def one_turn(tls, commands, sources, rows, turn):
    """Each side loads and merges once; who begins changes with the turn."""
    results, checksums = [], {}
    sides = list(commands) if turn % 2 == 0 else list(reversed(commands))
    for side in sides:
        psql("DROP SCHEMA IF EXISTS tablesync CASCADE; DROP TABLE IF EXISTS mctm_customer; " + TARGET_TABLE)
        for task, source in sources.items():
            psql("CHECKPOINT")
            measured = measure(commands[side], {**os.environ, **source, "BENCH_TLS": tls})
            checksum = psql(CHECKSUM)
            if not checksum.startswith(f"{rows}:"):
                raise SystemExit(f"{side}, {task}: {checksum.split(':')[0]} rows arrived, {rows} were sent")
            if checksums.setdefault(task, checksum) != checksum:
                raise SystemExit(f"{task}: the two sides left different rows")
            print(f"  TLS {tls}, {task}, {side}: {measured['seconds']:.1f} s", file=sys.stderr)
            results.append({"tls": tls, "task": task, "side": side, **measured})
    return results


def measure(command, env):
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)
        status, usage, peak_kb = watch(process.pid)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            raise SystemExit(f"{command[0]} failed:\n{output.read().decode()}")
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": peak_kb / 1024}


def watch(pid):
    """Waits for the process; its peak resident memory is read while it runs, because ru_maxrss starts with this interpreter's own, from before exec."""
    peak_kb = 0
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage, peak_kb
        peak = next((line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")), None)
        peak_kb = int(peak.split()[1]) if peak else peak_kb
        time.sleep(0.01)


@contextmanager
def stand_in(rows, changed_percent, tls, binary=BUILT / "tds-stand-in"):
    """The SQL Server stand-in; gives the environment that it prints."""
    options = ["--port", "0", "--rows", str(rows), "--changed-percent", str(changed_percent), "--tls", tls]
    process = subprocess.Popen([binary, *options], stdout=subprocess.PIPE, text=True)
    try:
        env = {}
        while "SQL_SERVER_VOIPDB_ENCRYPT" not in env:
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the stand-in ended before it served")
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                env[name] = value.strip("'\"")
        yield env
    finally:
        process.terminate()
        process.wait()


def write_config(work):
    config = json.loads((ROOT / "table_configs.json").read_text(encoding="utf-8"))
    path = work / "table_configs.json"
    path.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
    return path


def psql(sql):
    return subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql], check=True, capture_output=True, text=True).stdout.strip()


def print_machine(arguments):
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    import psycopg2
    import pymssql

    print(f"{arguments.rows:,} rows of customer, {arguments.repeat} turn(s); {os.cpu_count()} cores, {model}")
    print(f"PostgreSQL {psql('SHOW server_version')}; Python {platform.python_version()}, pymssql {pymssql.__version__}, "
          f"psycopg2 {psycopg2.__version__.split()[0]}; release build; source, target and mover share the machine")


def print_results(results, rows):
    print(f"\n{'TLS':5}{'task':20}{'side':11}{'rows/s':>12}{'CPU s/M rows':>14}{'peak MB':>9}{'ratio':>8}")
    for tls in ("off", "full"):
        for task in dict.fromkeys(result["task"] for result in results):
            rate = {}
            for side in ("replaced", "tablesync"):
                mine = [r for r in results if (r["tls"], r["task"], r["side"]) == (tls, task, side)]
                rate[side] = rows / statistics.median(r["seconds"] for r in mine)
                cpu = statistics.median(r["cpu"] for r in mine) * 1_000_000 / rows
                peak = max(r["peak_mb"] for r in mine)
                ratio = f"{rate['tablesync'] / rate['replaced']:.1f}x" if side == "tablesync" else ""
                print(f"{tls:5}{task:20}{side:11}{rate[side]:>12,.0f}{cpu:>14.2f}{peak:>9.0f}{ratio:>8}")


if __name__ == "__main__":
    main()
