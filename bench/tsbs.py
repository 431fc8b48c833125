"""Trucks as in the iot set of the Time Series Benchmark Suite: load, and the twelve questions (in questions.py)."""

import json
import os
import shutil
import statistics
import subprocess
import time

from databases import FIXED, ClickHouse, PostgreSQL, agree
from machine import Business
from questions import ASKERS, QUESTIONS, differ
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


def timed(asker, question, windows, rounds):
    """Milliseconds of each answer, the first of each kind left out."""
    asker.ask(question.name, windows[0])
    took = []
    for turn in range(rounds):
        for window in windows:
            begun = time.perf_counter()
            asker.ask(question.name, window)
            took.append((time.perf_counter() - begun) * 1000)
    return sorted(took)


def ask_questions(options):
    """The twelve questions over three days: answers compared, then timed in turns, one client."""
    kind, hours = "tsbs", 72 * options.scale
    rows = rows_words(kind, options.machines, hours)
    start, end = START_S, START_S + int(hours * 3600) // 600 * 600
    servers = []
    for maker in [Lineshaft, *peers(options)]:
        server = fresh(options, maker)
        server.start()
        run = fill(options, server, kind, rows, "--stream")
        wrong = check_kept(server, kind, run["made"], START_S + int(hours * 3600) + 1)
        print(f"  {server.name}: {run['values']:,} values in {run['seconds']:.0f} s, {wrong or 'counts and sums agree'}",
              flush=True)
        server.settle()
        if isinstance(server, Lineshaft):
            server.stop()  # What was in memory is read from segments after this.
            server.start()
        servers.append(server)
    askers = {type(server): ASKERS[type(server)](server) for server in servers}
    results, notes = {}, []
    for question in QUESTIONS:
        if question.hours and question.hours > hours:
            continue
        windows = question.windows(start, end)
        # Whole days only: its subqueries begin at multiples of their step.
        able = [maker for maker, asker in askers.items() if question.name in asker.table and
                (maker is not VictoriaMetrics or question.name != "avg-daily-driving-duration" or hours % 24 == 0)]
        ours = [askers[Lineshaft].rows(question.name, window) for window in windows[:5]]
        for maker in able[1:]:
            try:
                wrong = next((found for window, expected in zip(windows, ours)
                              if (found := differ(expected, askers[maker].rows(question.name, window)))), None)
            except OSError as error:
                wrong = str(error)[:300]
            if wrong:
                notes.append(f"{question.name}, {maker.name}: {wrong}")
        took = {maker: [] for maker in able}
        cpu = {server: server.cpu_s() for server in servers}
        for turn in range(options.rounds):
            for maker in able:
                took[maker] += timed(askers[maker], question, windows, 1)
        used = {type(server): (server.cpu_s() - cpu[server]) / len(took[type(server)]) * 1000
                for server in servers if type(server) in took}
        results[question.name] = ({maker: sorted(times) for maker, times in took.items()}, used,
                                  sum(len(found) for found in ours) / len(ours))
        print(f"  {question.name}: " + ", ".join(f"{maker.name} {median_of(times):.2f} ms" for maker, times in
                                                 results[question.name][0].items()), flush=True)
    print_questions(results, [type(server) for server in servers], notes)
    for server in servers:
        server.stop()


def median_of(times):
    return times[len(times) // 2]


def print_questions(results, makers, notes):
    print("\np50 / p99 in ms over HTTP (PostgreSQL: its own protocol), CPU ms an answer in brackets\n")
    print("| question | rows | " + " | ".join(maker.name for maker in makers) + " | best peer ÷ Lineshaft |")
    print("|---" * (len(makers) + 3) + "|")
    for name, (took, used, rows) in results.items():
        cells = [f"{median_of(took[maker]):.2f} / {took[maker][int((len(took[maker]) - 1) * 0.99)]:.2f} "
                 f"[{used[maker]:.1f}]" if maker in took else "–" for maker in makers]
        theirs = [median_of(times) for maker, times in took.items() if maker is not Lineshaft]
        ratio = f"{min(theirs) / median_of(took[Lineshaft]):.1f}" if theirs else "–"
        print(f"| {name} | {rows:.0f} | " + " | ".join(cells) + f" | {ratio} |")
    print("\n" + ("\n".join(f"**{note}**" for note in notes) if notes else "All answers agree.") + "\n")


def fresh_directory(options, name):
    path = os.path.join(options.scratch, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


ALL = {"tsbs-load": load, "tsbs-queries": ask_questions}
