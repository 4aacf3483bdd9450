"""`make bench`, second part: incremental_sync from one PostgreSQL into another beside two psqls with a pipe between them, in one run.

    psql -c "\\copy (SELECT ... ORDER BY ...) to stdout binary" | psql -c "\\copy ... from stdin binary"

Both sides bring the same rows, with the same order, into a table of the same shape, in turns: a first load into an empty table; then as many new rows into
that table, which is filled now. tablesync keeps its watermark besides, commits in steps and leaves alone what is there; the psqls do none of it. Last, runs of
tablesync that find nothing new, by the time that its own report gives the table: connecting, three times, is within it.
After every run both tables are compared by checksum. CPU is that of the movers and of PostgreSQL's sessions on both sides, which other programs on the
machine disturb less than the time.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import BUILT, measure, psql

SOURCE, TARGET = "bench_scout", "bench_scanner"
TABLE = """CREATE TABLE findings (id bigint PRIMARY KEY, asset_id bigint NOT NULL, severity text NOT NULL, title text, detail jsonb, score numeric(4,1),
    open boolean NOT NULL, seen_at timestamptz, created_at timestamptz NOT NULL); CREATE INDEX ON findings (created_at, id)"""
ROWS = """INSERT INTO findings SELECT n, n % 5000, (ARRAY['low', 'medium', 'high', 'critical'])[n % 4 + 1], 'finding ' || n || ' of scan ' || n / 1000,
    jsonb_build_object('rule', 'R' || n % 300, 'path', '/srv/app/' || md5(n::text), 'line', n % 2000), (n % 101) / 10.0, n % 3 <> 0,
    timestamptz '2026-01-01' + n * interval '2 s', {began} + n / 7 * interval '7 us' FROM generate_series({first}, {last}) n"""
SELECT = "SELECT id, asset_id, severity, title, detail, score, open, seen_at, created_at FROM findings WHERE id > {after} ORDER BY created_at, id"
# Rows of the first load are old; those that come later came after it. Both are older than this when nothing is new any more.
BEGAN = ("timestamptz '2026-01-01'", "now()")
LAG_SECONDS = 2
CHECKSUM = "SELECT count(*) || ':' || sum(hashtextextended(t::text, 0)) FROM findings AS t"
TASKS = ("first load", "as many new rows")


def main():
    arguments = argparse.ArgumentParser(description="incremental_sync beside two psqls")
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--quiet-runs", type=int, default=11)
    arguments = arguments.parse_args()
    print(f"{arguments.rows:,} rows of findings twice, {arguments.repeat} turn(s); {os.cpu_count()} cores, {platform.machine()}; "
          f"PostgreSQL {psql('SHOW server_version')}; release build; both databases at one server, on the machine of the mover")
    with tempfile.TemporaryDirectory() as work:
        side = Tablesync(Path(work))
        results = []
        for turn in range(arguments.repeat):
            results += one_turn(side, arguments.rows, turn)
        # Both the moments of the newest rows and the lag must have passed.
        time.sleep(LAG_SECONDS + 2 * arguments.rows / 1_000_000)
        side.quiet_ms()
        quiet = [side.quiet_ms() for _ in range(arguments.quiet_runs)]
    print_results(results, arguments.rows)
    print(f"nothing new among {2 * arguments.rows:,} rows: {statistics.median(quiet):.0f} ms a run with connecting, the slowest of {len(quiet)} {max(quiet):.0f} ms")


class Tablesync:
    """The product, with configuration and environment of the service that it replaces."""

    def __init__(self, work):
        (work / "config.json").write_text(json.dumps([{"name": "findings", "key_columns": ["id"], "lag": LAG_SECONDS}]), encoding="utf-8")
        dsn = f"postgres://{os.environ['PG_USER']}@{os.environ['PG_HOST']}:{os.environ['PG_PORT']}"
        self.env = {**os.environ, "SOURCE_DSN": f"{dsn}/{SOURCE}?sslmode=disable", "TARGET_DSN": f"{dsn}/{TARGET}?sslmode=disable",
                    "CONFIG_PATH": str(work / "config.json")}
        self.command = [BUILT / "tablesync", "incremental_sync", "--json"]

    def run(self, _after):
        return measure(self.command, self.env)

    def quiet_ms(self):
        """Milliseconds that a run takes for its table which finds nothing new."""
        ended = subprocess.run(self.command, env=self.env, check=True, capture_output=True, text=True)
        table = json.loads(ended.stdout)["table_results"]["findings"]
        if table["inserted"] + table["unchanged"] > 0:
            raise SystemExit(f"a run that was to find nothing new has read rows: {table}")
        return table["execution_time"] * 1000


class Psqls:
    """What the product is held against."""

    def run(self, after):
        def copy(database, what):
            return ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", f"\\copy {what} binary"]

        started = time.monotonic()
        out = subprocess.Popen(copy(SOURCE, f"({SELECT.format(after=after)}) to stdout"), stdout=subprocess.PIPE)
        into = subprocess.Popen(copy(TARGET, "findings from stdin"), stdin=out.stdout)
        out.stdout.close()
        if into.wait() or out.wait():
            raise SystemExit("the psqls failed")
        return {"seconds": time.monotonic() - started, "peak_mb": 0}


def one_turn(tablesync, rows, turn):
    """Each side loads first and then what is new; who begins changes with the turn."""
    results = []
    sides = {"tablesync": tablesync, "psqls": Psqls()}
    for name in (sides if turn % 2 else reversed(sides)):
        for database in (SOURCE, TARGET):
            psql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            psql(f"CREATE DATABASE {database}")
            within(database, TABLE)
        for number, task in enumerate(TASKS):
            within(SOURCE, ROWS.format(first=number * rows + 1, last=(number + 1) * rows, began=BEGAN[number]))
            within(SOURCE, "VACUUM ANALYZE findings")
            psql("CHECKPOINT")
            before = cpu_seconds()
            measured = sides[name].run(number * rows)
            measured["cpu"] = cpu_seconds() - before
            if within(TARGET, CHECKSUM) != within(SOURCE, CHECKSUM):
                raise SystemExit(f"{name}, {task}: the rows that arrived are not those of the source")
            print(f"  {task}, {name}: {measured['seconds']:.2f} s", file=sys.stderr)
            results.append({"task": task, "side": name, **measured})
    return results


def cpu_seconds():
    """What all sessions of the server that have ended took, and all programs that were started here."""
    time.sleep(0.5)
    server = Path(os.environ["THROWAWAY_DIR"], "data/postmaster.pid").read_text().split()[0]
    ended = Path(f"/proc/{server}/stat").read_text().rsplit(")", 1)[1].split()[13:15]
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(map(int, ended)) / os.sysconf("SC_CLK_TCK") + own.ru_utime + own.ru_stime


def within(database, sql):
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def print_results(results, rows):
    print(f"\n{'task':20}{'side':11}{'rows/s':>12}{'of psqls':>10}{'CPU s/M rows':>14}{'of psqls':>10}{'peak MB':>9}")
    for task in TASKS:
        rate, cpu = {}, {}
        for side in ("psqls", "tablesync"):
            mine = [r for r in results if (r["task"], r["side"]) == (task, side)]
            rate[side] = rows / statistics.median(r["seconds"] for r in mine)
            cpu[side] = statistics.median(r["cpu"] for r in mine) * 1_000_000 / rows
            peak = max(r["peak_mb"] for r in mine)
            ratios = [f"{rate[side] / rate['psqls']:.0%}", f"{cpu[side] / cpu['psqls']:.0%}"] if side == "tablesync" else ["", ""]
            shown = f"{peak:.0f}" if peak else ""
            print(f"{task:20}{side:11}{rate[side]:>12,.0f}{ratios[0]:>10}{cpu[side]:>14.2f}{ratios[1]:>10}{shown:>9}")


if __name__ == "__main__":
    main()
