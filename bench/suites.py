"""The benchmarks. Each starts what it needs afresh, sends, counts what was kept, and prints a table."""

import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import time
import urllib.parse

from machine import Business
from servers import InfluxDB, Lineshaft, Mosquitto, NullSink, VictoriaMetrics, ask, directory_bytes, until

SETTLE_S = 3  # What a server still does with what it has taken counts as its CPU time.


def installed(options, *peers):
    programs = {VictoriaMetrics: "victoria-metrics", InfluxDB: "influxd", Mosquitto: "mosquitto"}
    return [] if options.alone else [peer for peer in peers if shutil.which(programs[peer])]


def fresh_directory(options, name):
    path = os.path.join(options.scratch, re.sub(r"\W+", "-", name))
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def load(options, *words):
    ran = subprocess.run([options.load, *map(str, words)], capture_output=True, text=True)
    if ran.returncode != 0:
        raise SystemExit(f"the load generator failed: {ran.stderr}")
    if ran.stderr:
        print(ran.stderr.strip())
    return json.loads(ran.stdout)


def million(number):
    return number / 1e6


class Series:
    """Rounds of one program."""

    def __init__(self, name, durability):
        self.name, self.durability, self.rounds = name, durability, []

    def median(self, key):
        return statistics.median(r[key] for r in self.rounds)

    def spread(self, key):
        values = [r[key] for r in self.rounds]
        return min(values), max(values)


def measured_round(options, server, words):
    """One load on a fresh server: rate, CPU seconds of both, and whether everything is there."""
    server.start()
    before = server.cpu_s()
    business = Business()
    run = load(options, *words(server))
    busy, stolen = business.shares()
    time.sleep(SETTLE_S)
    run["server_cpu_s"] = server.cpu_s() - before
    run["rss_mb"] = server.rss_mb()
    run["busy"], run["stolen"] = busy, stolen
    run["kept"] = server.values()
    if run["kept"] is not None and run["kept"] != run["values"]:
        deadline = time.monotonic() + 30
        while run["kept"] != run["values"] and time.monotonic() < deadline:
            time.sleep(1)
            run["kept"] = server.values()
    server.stop()
    return run


def in_turns(options, makers, words, title):
    """A, B, C, A, B, C …: what disturbs the machine disturbs all alike."""
    series = {}
    for turn in range(options.rounds):
        for maker in makers:
            server = maker()
            run = measured_round(options, server, words)
            series.setdefault(server.name, Series(server.name, server.durability)).rounds.append(run)
            kept = "" if run["kept"] is None else f", kept {run['kept']:,} of {run['values']:,}"
            print(f"  {title} round {turn + 1} {server.name}: {million(run['values_per_s']):.3f} M/s, machine busy "
                  f"{run['busy']:.0%}, stolen {run['stolen']:.1%}, load {os.getloadavg()[0]:.1f}, "
                  f"refused {run['refused']}{kept}", flush=True)
    return series


def print_table(series, unit, null):
    ours = series[Lineshaft.name].median("values_per_s")
    print(f"\n| program | {unit}/s, median (min … max) | Lineshaft ÷ it | its CPU s per M {unit} | sender's CPU s per M | "
          "p50 / p99 of an answer, ms | RSS after, MB | kept | durability |\n|---|---|---|---|---|---|---|---|---|")
    for one in series.values():
        low, high = one.spread("values_per_s")
        values = one.rounds[0]["values"]
        complete = "–" if one.rounds[0]["kept"] is None else (
            "all" if all(r["kept"] == r["values"] and r["refused"] == 0 for r in one.rounds) else
            "**" + ", ".join(f"{r['kept'] - r['values']:+,}" for r in one.rounds) + "**")
        print(f"| {one.name} | {one.median('values_per_s'):,.0f} ({low:,.0f} … {high:,.0f}) | "
              f"{ours / one.median('values_per_s'):.2f} | {one.median('server_cpu_s') / million(values):.2f} | "
              f"{one.median('cpu_s') / million(values):.3f} | {one.median('p50_ms'):.1f} / {one.median('p99_ms'):.1f} | "
              f"{one.median('rss_mb'):.0f} | {complete} | {one.durability} |")
    share = null["values_per_s"] / max(one.median("values_per_s") for one in series.values())
    print(f"\nThe sender alone (null sink): {null['values_per_s']:,.0f} {unit}/s, {share:.1f} times the best above"
          f"{'' if share >= 1.5 else ': TOO SLOW, the rates above are partly its own'}.\n")


def survive_kill(options, words, end, per_tag):
    """kill -9 at the moment of the last acknowledgement: everything must be there after the next start."""
    server = Lineshaft(fresh_directory(options, "kill"))
    server.start()
    run = load(options, *words(server))
    server.kill()
    seconds = server.start()
    counts = server.counts_by_tag(end)
    server.stop()
    kept = sum(counts.values())
    wrong = sum(count != per_tag for count in counts.values())
    verdict = "nothing lost" if kept == run["values"] and not wrong else f"**{wrong} tags are not complete**"
    print(f"kill -9 after the last acknowledgement: queries find {kept:,} of {run['values']:,} values, {len(counts):,} "
          f"tags with {per_tag:,} each, ready again in {seconds:.2f} s: {verdict}\n", flush=True)


def against_null(options, kind, words):
    server = NullSink(fresh_directory(options, kind), kind)
    server.start()
    run = max((load(options, *words(server)) for _ in range(3)), key=lambda r: r["values_per_s"])
    server.stop()
    return run


def lines(options):
    """Line protocol over HTTP: 1,000 trucks, 8 fields a line, 5,000 lines a request, 4 connections."""
    end = int(time.time())
    requests = max(4, int(250 * options.scale))

    def words(server):
        headers = [word for name, value in server.headers.items() for word in ("--header", f"{name}: {value}")]
        return ["lines", "--port", server.port, "--path", server.line_path, "--requests", requests, "--end", end,
                *headers]

    null = against_null(options, "null-http", words)
    makers = [lambda peer=peer: peer(fresh_directory(options, peer.name))
              for peer in [Lineshaft, *installed(options, VictoriaMetrics, InfluxDB)]]
    print_table(in_turns(options, makers, words, "lines"), "values", null)
    survive_kill(options, words, end, requests * 5)  # 5,000 lines of 1,000 trucks a request.


def mqtt(options):
    """MQTT from 1,000 connections, one JSON value a message, window 20."""
    end = int(time.time())
    for qos in [1, 0] if options.qos is None else [options.qos]:
        messages = max(1000, int((600_000 if qos else 1_000_000) * options.scale))

        def words(server):
            return ["mqtt", "--port", server.mqtt_port, "--qos", qos, "--messages", messages, "--end", end]

        null = against_null(options, "null-mqtt", words)
        makers = [lambda peer=peer: peer(fresh_directory(options, peer.name))
                  for peer in [Lineshaft, *installed(options, Mosquitto)]]
        print(f"QoS {qos}")
        print_table(in_turns(options, makers, words, f"mqtt QoS {qos}"), "messages", null)
        if qos:
            survive_kill(options, words, end, messages // 1000)


def table_columns():
    return ",".join(["1:time:rfc3339", *(f"{i + 2}:metric:sensor_{i}" for i in range(10))])


def import_file(options):
    """`lineshaft import` of a CSV file of 20 M values: a time and ten columns."""
    rows = max(1000, int(2_000_000 * options.scale))
    file = os.path.join(options.scratch, "table.csv")
    load(options, "table", file, "--rows", rows, "--start", int(time.time()) - rows // 10 - 3600)
    size = os.path.getsize(file)
    print(f"file: {rows:,} rows, {rows * 10:,} values, {million(size):.0f} MB")
    results = {}
    for turn in range(options.rounds):
        for maker in [Lineshaft, *installed(options, VictoriaMetrics)]:
            server = maker(fresh_directory(options, maker.name))
            server.start()
            before, business, begun = server.cpu_s(), Business(), time.monotonic()
            children = os.times()
            if maker is Lineshaft:
                cache = {"XDG_CACHE_HOME": server.directory, "LINESHAFT_TOKEN": server.headers["Authorization"][7:]}
                subprocess.run([Lineshaft.binary, "import", file, "--device", "Bench/Table", "--server",
                                f"http://127.0.0.1:{server.port}", "--output", "json", "--quiet"],
                               check=True, stdout=subprocess.DEVNULL, env={**os.environ, **cache})
            else:
                # Its importer takes no header line.
                subprocess.run(f"tail -n +2 {file} | curl -sSf -T - -X POST "
                               f"'http://127.0.0.1:{server.port}/api/v1/import/csv?format={table_columns()}'",
                               shell=True, check=True)
            seconds = time.monotonic() - begun
            after = os.times()
            client = after.children_user + after.children_system - children.children_user - children.children_system
            time.sleep(SETTLE_S)
            used = server.cpu_s() - before
            until("all values", lambda: server.values() == rows * 10, 60)
            busy, stolen = business.shares()
            print(f"  import round {turn + 1} {server.name}: {rows * 10 / seconds / 1e6:.2f} M values/s, server "
                  f"{used:.1f} s, client {client:.1f} s, stolen {stolen:.1%}", flush=True)
            server.stop()
            results.setdefault(server.name, []).append((rows * 10 / seconds, used, client))
    print("\n| program | values/s, median (min … max) | Lineshaft ÷ it | its CPU s per M | client's CPU s per M |\n"
          "|---|---|---|---|---|")
    ours = statistics.median(r[0] for r in results[Lineshaft.name])
    for name, rounds in results.items():
        rates = [r[0] for r in rounds]
        rate, used, client = (statistics.median(column) for column in zip(*rounds))
        print(f"| {name} | {rate:,.0f} ({min(rates):,.0f} … {max(rates):,.0f}) | {ours / rate:.2f} | "
              f"{used / million(rows * 10):.2f} | {client / million(rows * 10):.2f} |")
    print()


def plant(options):
    """Bytes a value of the demo plant's data: the real plant for `--minutes`, then a flush."""
    server = Lineshaft(fresh_directory(options, "plant"), command="demo")
    server.start()
    print(f"the plant runs for {options.minutes:g} minutes")
    time.sleep(options.minutes * 60)
    server.stop()
    report_bytes(options, server.data)


def report_bytes(options, data):
    """What is still in the log goes to segments first."""
    flush = os.path.join(options.build, "lineshaft_flush")
    store = json.loads(subprocess.run([flush, data], check=True, capture_output=True, text=True).stdout)
    history = directory_bytes(os.path.join(data, "history"))
    print(f"\n| values | series | segments, bytes a value | all files of the history, bytes a value |\n|---|---|---|---|\n"
          f"| {store['samples']:,} | {store['series']} | {store['segment_bytes'] / store['samples']:.2f} | "
          f"{history / store['samples']:.2f} |\n")


def write_day(server, end):
    """Ten tags, one value a second each, the day before `end`."""
    header = {**server.headers, "Content-Type": "text/plain"}
    state = 1
    values = [50.0] * 10
    for first in range(end - 86400, end, 8640):
        body = []
        for second in range(first, first + 8640):
            for tag in range(10):
                state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
                values[tag] += (state >> 40) / (1 << 24) - 0.5
            fields = ",".join(f"tag{tag}={value:.2f}" for tag, value in enumerate(values))
            body.append(f"trend {fields} {second}000000000")
        status, answer = ask(server.port, "POST", server.line_path, "\n".join(body), header)
        if status != 204:
            raise SystemExit(f"{server.name} answers {status}: {answer}")


def timed_gets(port, path, headers, count):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        took.append((time.perf_counter() - begun) * 1000)
        if response.status != 200:
            raise SystemExit(f"{path} answers {response.status}: {body[:300]}")
    connection.close()
    took.sort()
    return took, body


def trend(options):
    """Ten tags over a day at 1 Hz, reduced to 1,000 points each, as binary columns."""
    count = max(20, int(300 * options.scale))
    end = int(time.time()) // 86400 * 86400
    server = Lineshaft(fresh_directory(options, "trend"))
    server.start()
    write_day(server, end)
    tags = "&".join(f"tag=trend/tag{tag}" for tag in range(10))
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    path = (f"/api/v1/history?{tags}&from={time.strftime(stamp, time.gmtime(end - 86400))}"
            f"&to={time.strftime(stamp, time.gmtime(end))}&width=1000&resolution=auto")
    headers = {**server.headers, "Accept": "application/vnd.lineshaft.columns"}
    rows = []
    for state in ["in memory", "in segments, after a restart"]:
        first, body = timed_gets(server.port, path, headers, 1)
        took, body = timed_gets(server.port, path, headers, count)
        rows.append((f"Lineshaft, {state}", first[0], took, len(body)))
        if state == "in memory":
            server.stop()
            server.start()
    server.stop()
    for maker in installed(options, VictoriaMetrics):
        peer = maker(fresh_directory(options, maker.name))
        peer.start()
        write_day(peer, end)
        until("all values", lambda: peer.values() == 864_000)
        # Minimum, maximum and mean need a query each; Lineshaft's answer has first, last and count as well.
        names = urllib.parse.quote('{__name__=~"trend_tag.*"}')
        totals = [0.0] * count
        size = 0
        for function in ["min_over_time", "max_over_time", "avg_over_time"]:
            query = f"/api/v1/query_range?query={function}({names}[87s])&start={end - 86400}&end={end}&step=87s&nocache=1"
            timed_gets(peer.port, query, {}, 3)
            took, body = timed_gets(peer.port, query, {}, count)
            totals = [a + b for a, b in zip(totals, took)]
            size += len(body)
        rows.append((f"{peer.name}, min + max + mean as JSON, no cache", float("nan"), totals, size))
        peer.stop()
    print("\n| 10 tags, a day at 1 Hz | first, ms | p50, ms | p99, ms | max, ms | bytes |\n|---|---|---|---|---|---|")
    for name, first, took, size in rows:
        print(f"| {name} | {first:.1f} | {took[len(took) // 2]:.1f} | {took[int((len(took) - 1) * 0.99)]:.1f} | "
              f"{took[-1]:.1f} | {size:,} |")
    print()


def start(options):
    """From exec to `ready`, with an empty directory and with the day of `trend`; memory when idle."""
    rows = []
    for kind in ["empty", "second start, empty", "with 0.9 M values"]:
        took, rss = [], []
        for _ in range(options.rounds):
            server = Lineshaft(fresh_directory(options, "start"))
            seconds = server.start()
            if kind != "empty":
                if kind.startswith("with"):
                    write_day(server, int(time.time()) // 86400 * 86400)
                server.stop()
                seconds = server.start()
            took.append(seconds)
            time.sleep(SETTLE_S)
            rss.append(server.rss_mb())
            server.stop()
        rows.append((kind, took, rss))
    print("\n| directory | exec to ready, s, median (max) | idle RSS, MB |\n|---|---|---|")
    for kind, took, rss in rows:
        print(f"| {kind} | {statistics.median(took):.3f} ({max(took):.3f}) | {statistics.median(rss):.1f} |")
    print()


def screen(options):
    """Bytes over the wire until the first screen can be drawn: the page and every script and style that it names."""
    server = Lineshaft(fresh_directory(options, "screen"))
    server.start()
    headers = {"Accept-Encoding": "br"}
    _, page = ask(server.port, "GET", "/", headers={})
    names = ["/"] + re.findall(r'(?:src|href)="(/[^"]+)"', page.decode())
    first = sum(len(ask(server.port, "GET", name, headers=headers)[1]) for name in names)
    everything = sum(len(ask(server.port, "GET", "/assets/" + name, headers=headers)[1])
                     for name in os.listdir(os.path.join(options.web, "assets")) if not name.endswith((".br", ".gz")))
    server.stop()
    print(f"\n| first load, br | files | all screens together, br |\n|---|---|---|\n"
          f"| {first / 1000:.0f} kB | {len(names)} | {everything / 1000:.0f} kB |\n")


ALL = {"lines": lines, "mqtt": mqtt, "import": import_file, "trend": trend, "start": start, "screen": screen,
       "plant": plant}
