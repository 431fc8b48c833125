"""What storing costs and what it still does then: size, cardinality, recovery, a decade, mixed load, a substation."""

import collections
import concurrent.futures
import glob
import gzip
import json
import os
import random
import re
import subprocess
import threading
import time

from databases import ClickHouse, PostgreSQL
from questions import ASKERS, QUESTIONS
from servers import InfluxDB, Lineshaft, VictoriaMetrics, ask, directory_bytes
from tsbs import (SETTLE_S, START_S, check_kept, fill, fresh, median_of, peers, rows_words, sender)

REAL_SETS = ["cmapss-turbofan", "tennessee-eastman", "transformer-etth1", "steel-energy", "gas-turbine-emissions",
             "hydraulic-rig", "skab-pump-loop", "genesis-plc"]


def stopped_bytes(options, server):
    """Everything in the data directory, after what was in memory has been written and merged and the program has ended."""
    server.settle()
    if isinstance(server, Lineshaft):
        settle_directory(server.data)
    parts = server.data_bytes() if isinstance(server, (ClickHouse, PostgreSQL)) else None
    server.stop()
    if isinstance(server, Lineshaft):
        flush = os.path.join(options.build, "lineshaft_flush")
        subprocess.run([flush, server.data], check=True, stdout=subprocess.DEVNULL)
        return directory_bytes(server.data), directory_bytes(os.path.join(server.data, "history"))
    # Logs and replaced parts that wait to be removed are no data: the two with tables tell their own.
    kept = parts if parts is not None else sum(
        directory_bytes(os.path.join(server.directory, name)) for name in ["data", "meta", "wal"])
    return kept, kept


def settle_directory(path, quiet_s=8, seconds=300):
    """Until merging has come to rest."""
    deadline, since, before = time.monotonic() + seconds, time.monotonic(), -1
    while time.monotonic() < deadline and time.monotonic() - since < quiet_s:
        now = directory_bytes(path)
        if now != before:
            since, before = time.monotonic(), now
        time.sleep(0.5)


def table_lines(path, measurement, name, start):
    """Numbers of a text table as line protocol, a row a second; the first row may hold the names of columns."""
    names, separator = None, None
    with gzip.open(path, "rt", errors="replace") as file:
        for number, line in enumerate(file):
            line = line.strip()
            if separator is None:
                separator = next((one for one in [";", ",", "\t"] if one in line), None)
            cells = line.split(separator)
            if number == 0 and any(re.search(r"[A-Za-z]{2}", cell) for cell in cells):
                names = [re.sub(r"\W+", "_", cell) or f"c{i}" for i, cell in enumerate(cells)]
                continue
            fields = []
            for i, cell in enumerate(cells):
                try:
                    float(cell)
                except ValueError:
                    continue
                label = names[i] if names and i < len(names) else f"c{i}"
                fields.append(f"{label}={cell.strip()}")
            if fields:
                yield f"{measurement},file={name} {','.join(fields)} {(start + number) * 1_000_000_000}\n", len(fields)


def real_lines(folder):
    for name in REAL_SETS:
        for path in sorted(glob.glob(os.path.join(folder, name, "**", "*.gz"), recursive=True)):
            label = re.sub(r"\W+", "_", os.path.relpath(path, os.path.join(folder, name)).split(".")[0])
            yield from table_lines(path, name.replace("-", "_"), label, START_S)


def send_real(options, server):
    """5,000 lines a request, one request at a time."""
    lines, values = [], 0
    headers = {**server.headers, "Content-Type": "text/plain"}

    def send():
        status, body = ask(server.port, "POST", server.line_path, "".join(lines).encode(), headers)
        if status not in (200, 204):
            raise SystemExit(f"{server.name} answers {status}: {body[:300]}")

    for line, fields in real_lines(options.real):
        lines.append(line)
        values += fields
        if len(lines) == 5000:
            send()
            lines.clear()
    if lines:
        send()
    return values


def size(options):
    """Bytes a value after merging, all files counted."""
    table = collections.defaultdict(dict)
    sets = {"tsbs": (options.machines, 24 * options.scale), "plant": (options.machines, options.scale)}
    for kind, (machines, hours) in sets.items():
        for maker in [Lineshaft, *peers(options)]:
            server = fresh(options, maker)
            server.start()
            run = fill(options, server, kind, rows_words(kind, machines, hours), "--stream")
            wrong = check_kept(server, kind, run["made"], START_S + int(hours * 3600) + 1)
            kept, history = stopped_bytes(options, server)
            table[kind][maker] = (kept / run["values"], history / run["values"], run["values"], wrong)
            print(f"  {kind} {maker.name}: {kept:,} bytes for {run['values']:,} values: {kept / run['values']:.3f}"
                  f"{', ' + wrong if wrong else ''}", flush=True)
    if os.path.isdir(options.real):
        for maker in [Lineshaft, *[peer for peer in peers(options) if peer in (VictoriaMetrics, InfluxDB)]]:
            server = fresh(options, maker)
            server.start()
            values = send_real(options, server)
            kept, history = stopped_bytes(options, server)
            table["real"][maker] = (kept / values, history / values, values, None)
            print(f"  real {maker.name}: {kept:,} bytes for {values:,} values: {kept / values:.3f}", flush=True)
    print("\n| data | " + " | ".join(maker.name for maker in [Lineshaft, *peers(options)]) +
          " | Lineshaft's history alone |\n" + "|---" * (len(peers(options)) + 3) + "|")
    for kind, cells in table.items():
        row = [f"{cells[maker][0]:.3f}" + (" **wrong**" if cells[maker][3] else "") if maker in cells else "–"
               for maker in [Lineshaft, *peers(options)]]
        print(f"| {kind}, {cells[Lineshaft][2]:,} values | " + " | ".join(row) + f" | {cells[Lineshaft][1]:.3f} |")
    print("\nBytes a value. The two with tables keep the fixed fields once a truck; their values are without these.\n")


def cardinality(options):
    """A million series (62,500 trucks with 16 fields), a value a minute of each."""
    machines = max(100, int(62_500 * options.scale))
    words = ["--set", "tsbs", "--machines", str(machines), "--hours", "0.1", "--period", "60", "--whole-names"]
    rows = []
    for maker in [Lineshaft, *[peer for peer in peers(options) if peer in (VictoriaMetrics, InfluxDB)]]:
        server = fresh(options, maker)
        server.words = ["--discovery", "accept"]  # Of Lineshaft: more devices than an inbox holds.
        server.start()
        idle, before = server.rss_mb(), server.cpu_s()
        run = sender(options, server, words)
        time.sleep(SETTLE_S)
        used, rss = server.cpu_s() - before, server.rss_mb()
        wrong = check_kept(server, "tsbs", run["made"], START_S + 361)
        server.stop()
        begun = time.monotonic()
        server.start()
        again = time.monotonic() - begun
        wrong = wrong or check_kept(server, "tsbs", run["made"], START_S + 361)
        server.stop()
        rows.append((maker.name, machines * 16, run["values"], run["values_per_s"], used / run["values"] * 1e6,
                     run["p99_ms"], (rss - idle) * 1e6 / (machines * 16), again, wrong or "agree"))
        print(f"  {maker.name}: {run['values_per_s'] / 1e6:.2f} M values/s, {rss:.0f} MB, {wrong or 'all kept'}", flush=True)
    print("\n| program | series | values | values/s, new series included | CPU us a value | p99 of a request, ms | RAM "
          "bytes a series | start again, s | counts and sums |\n|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        print("| {} | {:,} | {:,} | {:,.0f} | {:.2f} | {:.0f} | {:,.0f} | {:.2f} | {} |".format(*row))
    print()


def recovery(options):
    """About 1 GB of log, kill -9, start: until ready, and whether all is there."""
    server = fresh(options, Lineshaft)
    server.start()
    hours = 6 * options.scale
    made = None
    for part in range(64):
        rows = rows_words("tsbs", options.machines, hours, "--start", START_S + int(part * hours * 3600), "--seed",
                          part + 1)
        run = sender(options, server, rows)
        if made is None:
            made = run["made"]
        else:
            made["values"] += run["made"]["values"]
            for table, columns in run["made"]["tables"].items():
                for name, column in columns.items():
                    for key in column:
                        made["tables"][table][name][key] += column[key]
        log = server.status()["store"]["wal_bytes"]
        if log >= 1e9 * min(1.0, options.scale) or part * hours > 48:
            break
    server.kill()
    begun = time.monotonic()
    server.start()
    ready = time.monotonic() - begun
    wrong = check_kept(server, "tsbs", made, START_S + int(64 * hours * 3600))
    rss = server.rss_mb()
    server.stop()
    print(f"\n| log, MB | values sent | kill -9 to ready, s | RSS after, MB | counts and sums |\n|---|---|---|---|---|\n"
          f"| {log / 1e6:,.0f} | {made['values']:,} | {ready:.2f} | {rss:.0f} | {wrong or 'agree'} |\n")


def decade(options):
    """Ten tags over ten years, a value a minute: a screen of 1,000 points each."""
    years = 10 * options.scale
    server = fresh(options, Lineshaft)
    server.start()
    seconds = int(years * 365.25 * 86400)
    start = int(time.time()) // 86400 * 86400 - seconds
    words = ["--set", "plant", "--machines", "1", "--period", "60", "--hours", str(seconds / 3600), "--start", str(start)]
    run = sender(options, server, words, "--stream")
    settle_directory(server.data)
    server.stop()
    server.start()
    fields = ["temperature", "pressure", "flow", "current", "vibration", "level", "state", "alarm_word", "set_point",
              "pieces"]
    tags = "&".join(f"tag=machine/line_0/machine_0/{field}" for field in fields)
    rows = []
    for name, share in [("ten years", 1.0), ("a year", 0.1), ("a month", 1 / 120), ("a day", 1 / 3652)]:
        begin = start + seconds - int(seconds * share)
        path = f"/api/v1/history?{tags}&from={begin}&to={start + seconds}&width=1000&resolution=auto"
        headers = {**server.headers, "Accept": "application/vnd.lineshaft.columns"}
        took = []
        for _ in range(max(5, 4 * options.rounds)):
            begun = time.perf_counter()
            status, body = ask(server.port, "GET", path, headers=headers)
            took.append((time.perf_counter() - begun) * 1000)
            if status != 200:
                raise SystemExit(f"history answers {status}: {body[:300]}")
        rows.append((name, took[0], sorted(took[1:]), len(body)))
    kept = server.values()
    server.stop()
    print(f"\n{run['values']:,} values sent, {kept:,} kept\n\n| ten tags over | first, ms | p50, ms | max, ms | bytes |\n"
          "|---|---|---|---|---|")
    for name, first, took, size_bytes in rows:
        print(f"| {name} | {first:.1f} | {median_of(took):.1f} | {took[-1]:.1f} | {size_bytes:,} |")
    print()


def mixed(options):
    """Load at half of the full rate, ten clients asking last values, sessions and days meanwhile."""
    hours = 12 * options.scale
    rows = rows_words("tsbs", options.machines, hours)
    start, end = START_S, START_S + int(hours * 3600) // 600 * 600
    names = ["last-loc", "low-fuel", "stationary-trucks", "long-driving-sessions", "avg-load"]
    questions = [question for question in QUESTIONS if question.name in names and
                 (not question.hours or question.hours <= hours)]
    print("\n| program | load | question | p50 / p95 / p99 idle, ms | p50 / p95 / p99 under load, ms | p95 ratio |\n"
          "|---|---|---|---|---|---|")
    for maker in [Lineshaft, *[peer for peer in peers(options) if peer is not PostgreSQL]]:
        server = fresh(options, maker)
        server.start()
        full = fill(options, server, "tsbs", rows)["values_per_s"]
        idle = clients(server, questions, start, end, 5)
        later = rows_words("tsbs", options.machines, max(hours, 1), "--start", START_S + int(hours * 3600), "--seed", "2")
        load = {}
        thread = threading.Thread(target=lambda: load.update(
            sender(options, server, later, "--stream", "--rate", str(full / 2))))
        thread.start()
        busy = clients(server, questions, start, end, 10, until=thread)
        thread.join()
        server.stop()
        for question in questions:
            quiet, loud = sorted(idle.get(question.name, [])), sorted(busy.get(question.name, []))
            if not quiet or not loud:
                continue
            print(f"| {maker.name} | {load['values_per_s'] / 1e6:.2f} of {full / 1e6:.2f} M/s, p99 {load['p99_ms']:.0f} ms "
                  f"| {question.name} | {quantiles(quiet)} | {quantiles(loud)} | "
                  f"{quantile(loud, 0.95) / quantile(quiet, 0.95):.2f} |", flush=True)
    print()


def quantile(times, share):
    return times[int((len(times) - 1) * share)]


def quantiles(times):
    return " / ".join(f"{quantile(times, share):.1f}" for share in (0.5, 0.95, 0.99))


def clients(server, questions, start, end, seconds, until=None, count=10):
    """Ten clients, each asking a question every tenth of a second; times count from when a question was due."""
    took, lock = collections.defaultdict(list), threading.Lock()
    begun = time.perf_counter()

    def one(number):
        asker = ASKERS[type(server)](server)
        mine = [question for question in questions if question.name in asker.table]
        chance = random.Random(number)
        turn = 0
        while (until.is_alive() if until else time.perf_counter() - begun < seconds):
            due = begun + number * 0.01 + turn * 0.1
            turn += 1
            if due > time.perf_counter():
                time.sleep(due - time.perf_counter())
            question = chance.choice(mine)
            asker.ask(question.name, chance.choice(question.windows(start, end)))
            with lock:
                took[question.name].append((time.perf_counter() - due) * 1000)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(one, number) for number in range(count)]:
            future.result()
    return took


def substation(options):
    """Ten producers, 160 sensors, texts of 1,000 bytes; after every 20,000 a scan of one sensor's newest and some older
    five seconds."""
    inserts = int(2_000_000 * options.scale)
    print("\n| program | inserts/s | CPU us an insert | scans | scan p50 / p95 / max, ms | kept |\n|---|---|---|---|---|---|")
    for maker in [Lineshaft, *[peer for peer in peers(options) if peer is InfluxDB]]:
        server = fresh(options, maker)
        server.start()
        before = server.cpu_s()
        scan = ("/api/v1/history?tag=substation/SENSOR/value&resolution=raw&limit=100000&from=FROM&to=TO"
                if maker is Lineshaft else
                "/query?db=bench&epoch=ns&q=SELECT+value+FROM+substation+WHERE+sensor%3D%27SENSOR%27+AND+time+%3E%3D+FROM"
                "+AND+time+%3C+TO")
        headers = [word for name, value in server.headers.items() for word in ("--header", f"{name}: {value}")]
        ran = subprocess.run([options.load, "substation", "--port", str(server.port), "--path", server.line_path, "--scan",
                              scan, "--inserts", str(inserts), *headers], capture_output=True, text=True)
        if ran.returncode != 0:
            raise SystemExit(f"the load generator failed: {ran.stderr}")
        run = json.loads(ran.stdout)
        used = server.cpu_s() - before
        kept = server.values() if maker is Lineshaft else count_texts(server)
        server.stop()
        print(f"| {maker.name} | {run['values_per_s']:,.0f} | {used / run['values'] * 1e6:.2f} | {run['scans']} | "
              f"{run['scan_p50_ms']:.1f} / {run['scan_p95_ms']:.1f} / {run['scan_max_ms']:.1f} | "
              f"{'all' if kept == run['values'] else '**' + str(kept) + '**'} |", flush=True)
    print()


def count_texts(server):
    _, body = ask(server.port, "GET", "/query?db=bench&q=SELECT+count(value)+FROM+substation")
    series = json.loads(body)["results"][0].get("series")
    return series[0]["values"][0][1] if series else 0


ALL = {"size": size, "cardinality": cardinality, "recovery": recovery, "decade": decade, "mixed": mixed,
       "substation": substation}
