"""Trucks as in the iot set of the Time Series Benchmark Suite: load, and the twelve questions (in questions.py)."""

import json
import os
import shutil
import statistics
import subprocess
import time

from databases import FIXED, ClickHouse, PostgreSQL, agree
from machine import Business
from servers import InfluxDB, Lineshaft, NullSink, VictoriaMetrics

START_S = 1_767_225_600  # 2026-01-01, as in load/rows.h.
SETTLE_S = 3


def peers(options):
    programs = {VictoriaMetrics: "victoria-metrics", InfluxDB: "influxd", ClickHouse: "clickhouse-server",
                PostgreSQL: f"{PostgreSQL.bin}/postgres"}
    if options.alone:
        return []
    wanted = options.peers.split(",") if options.peers else None
    return [peer for peer, program in programs.items()
            if shutil.which(program) and (not wanted or any(peer.name.lower().startswith(w) for w in wanted))]


def fresh(options, maker):
    path = os.path.join(options.scratch, maker.name.replace(" ", "-"))
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return maker(path)


def rows_words(kind, machines, hours, *more):
    words = ["--set", kind, "--machines", machines, "--hours", hours, *more]
    if kind == "plant":
        words += ["--period", 1, "--jitter", 400]
    return [str(word) for word in words]


def sender(options, server, rows, *more):
    headers = [word for name, value in server.headers.items() for word in ("--header", f"{name}: {value}")]
    ran = subprocess.run([options.load, "send", *rows, "--port", str(server.port), "--path", server.line_path, "--form",
                          server.form, *headers, *more], capture_output=True, text=True)
    if ran.returncode != 0:
        raise SystemExit(f"the load generator failed: {ran.stderr}")
    if ran.stderr:
        print(ran.stderr.strip())
    return json.loads(ran.stdout)


def copy_rows(options, server, kind, rows):
    """PostgreSQL takes rows from one COPY a table, both at a time."""
    begun, jobs = time.monotonic(), []
    for table in server.counts(kind):
        write = subprocess.Popen([options.load, "write", *rows, "--form", "tabs-iso", "--table", table],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        jobs.append((table, write, subprocess.Popen(server.copy_command(table), stdin=write.stdout)))
    made = {"rows": 0, "values": 0, "tables": {}}
    for table, write, copy in jobs:
        sums = json.loads(write.stderr.read())
        if copy.wait() != 0 or write.wait() != 0:
            raise SystemExit("COPY failed")
        made["rows"] += sums["rows"]
        made["tables"][table] = sums["tables"][table]
    made["values"] = sum(column["count"] for table in made["tables"].values() for column in table.values())
    seconds = time.monotonic() - begun
    sent = sent_values(made)
    return {"values": sent, "seconds": seconds, "values_per_s": sent / seconds, "cpu_s": 0.0, "p50_ms": 0.0,
            "p99_ms": 0.0, "refused": 0, "made": made, "bytes": 0, "requests": 0}


def sent_values(made):
    """Databases with tables keep the fixed numbers in the table of keys: they are not sent with each row."""
    return sum(column["count"] for table in made["tables"].values() for name, column in table.items()
               if name not in FIXED)


def fill(options, server, kind, rows, *more):
    """Everything into a server that has just begun."""
    if isinstance(server, (ClickHouse, PostgreSQL)):
        keys = subprocess.run([options.load, "write", *rows, "--table", "keys"], capture_output=True, check=True).stdout
        server.make_tables(kind, keys)
    if isinstance(server, PostgreSQL):
        return copy_rows(options, server, kind, rows)
    run = sender(options, server, rows, *more)
    if isinstance(server, ClickHouse):
        run["values"] = sent_values(run["made"])
        run["values_per_s"] = run["values"] / run["seconds"]
    return run


def check_kept(server, kind, made, end):
    """What queries find against what was made: None when they agree."""
    if isinstance(server, Lineshaft) and server.values() != made["values"]:
        return f"{server.values()} samples are kept, not {made['values']}"
    wrong = None
    for _ in range(30):
        wrong = agree(server.counts(kind, START_S, end), made, kind)
        if not wrong:
            return None
        time.sleep(1)
    return wrong


def load(options):
    """Line protocol (tabs for databases with tables), 5,000 lines a request, 4 connections."""
    kind, machines = "tsbs", options.machines
    hours = 6 * options.scale
    rows = rows_words(kind, machines, hours)
    end = START_S + int(hours * 3600) + 1

    sink = NullSink(fresh_directory(options, "null"), "null-http")
    sink.start()
    null = max((sender(options, sink, rows) for _ in range(2)), key=lambda run: run["values_per_s"])
    sink.stop()
    print(f"{machines} trucks, {hours:g} h: {null['made']['rows']:,} rows, {null['values']:,} values, "
          f"{null['bytes'] / 1e6:,.0f} MB of line protocol; the sender alone reaches {null['values_per_s'] / 1e6:.1f} M "
          "values/s", flush=True)
    results = {}
    for turn in range(options.rounds):
        for maker in [Lineshaft, *peers(options)]:
            server = fresh(options, maker)
            server.start()
            before, business = server.cpu_s(), Business()
            run = fill(options, server, kind, rows)
            busy, stolen = business.shares()
            time.sleep(SETTLE_S)
            run["server_cpu_s"] = server.cpu_s() - before
            run["rss_mb"] = server.rss_mb()
            run["wrong"] = check_kept(server, kind, run["made"], end)
            server.stop()
            shutil.rmtree(server.directory, ignore_errors=True)
            results.setdefault(maker, []).append(run)
            print(f"  round {turn + 1} {server.name}: {run['values_per_s'] / 1e6:.2f} M values/s in {run['seconds']:.1f} s, "
                  f"server {run['server_cpu_s'] / run['values'] * 1e6:.2f} us a value, p99 {run['p99_ms']:.0f} ms, "
                  f"busy {busy:.0%}, stolen {stolen:.1%}, refused {run['refused']}, "
                  f"{run['wrong'] or 'all counts and sums agree'}", flush=True)
    print_load(results, null)


def print_load(results, null):
    def median(runs, key):
        return statistics.median(run[key] for run in runs)

    ours = median(results[Lineshaft], "values_per_s")
    print("\n| program | values/s, median (min … max) | Lineshaft ÷ it | its CPU, us a value | p50 / p99 of a request, ms "
          "| RSS after, MB | counts and sums | durability |\n|---|---|---|---|---|---|---|---|")
    for maker, runs in results.items():
        rates = [run["values_per_s"] for run in runs]
        wrong = [run["wrong"] for run in runs if run["wrong"] or run["refused"]]
        print(f"| {maker.name} | {median(runs, 'values_per_s'):,.0f} ({min(rates):,.0f} … {max(rates):,.0f}) | "
              f"{ours / median(runs, 'values_per_s'):.2f} | "
              f"{median(runs, 'server_cpu_s') / runs[0]['values'] * 1e6:.3f} | {median(runs, 'p50_ms'):.1f} / "
              f"{median(runs, 'p99_ms'):.1f} | {median(runs, 'rss_mb'):.0f} | {'**wrong**' if wrong else 'agree'} | "
              f"{maker.durability} |")
    best = max(statistics.median(run["values_per_s"] for run in runs) for runs in results.values())
    print(f"\nThe sender alone: {null['values_per_s']:,.0f} values/s, {null['values_per_s'] / best:.1f} times the best.\n")


def fresh_directory(options, name):
    path = os.path.join(options.scratch, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


ALL = {"tsbs-load": load}
