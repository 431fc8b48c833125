"""The programs under test: started on free ports of loopback with an empty directory each, and stopped again."""

import csv
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def until(what, ask, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := ask():
                return answer
        except (OSError, http.client.HTTPException):
            pass
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def ask(port, method, path, body=None, headers=None):
    """Status and body of one HTTP request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def directory_bytes(path):
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)


READINGS = ["latitude", "longitude", "elevation", "velocity", "heading", "grade", "fuel_consumption"]
DIAGNOSTICS = ["fuel_state", "current_load", "status"]
MACHINE = ["temperature", "pressure", "flow", "current", "vibration", "level", "state", "alarm_word", "set_point",
           "pieces"]
TABLES = {"tsbs": {"readings": READINGS, "diagnostics": DIAGNOSTICS}, "plant": {"machine": MACHINE}}


STARTED = []


def end_all():
    """Ends every program that was started and still runs."""
    for server in STARTED:
        if server.process and server.process.poll() is None:
            server.process.terminate()
            server.process.wait(60)
    STARTED.clear()


class Server:
    name = ""
    durability = ""
    line_path = None
    form = "lines"
    headers = {}

    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()
        self.process = None
        STARTED.append(self)

    def settle(self):
        """Merges and writes out what it would merge and write by itself later."""

    def spawn(self, command, **more):
        self.log = open(os.path.join(self.directory, "log"), "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, **more)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()

    def cpu_s(self):
        """User and system time of the process and all its threads."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS"):
                    return int(line.split()[1]) / 1024
        return 0.0


class Lineshaft(Server):
    name = "Lineshaft"
    durability = "fdatasync before each answer"
    line_path = "/api/v2/write?precision=ns"
    binary = ""
    words = ()  # Further options.

    def __init__(self, directory, command="run"):
        super().__init__(directory)
        self.command = command
        self.mqtt_port = free_port()
        self.data = os.path.join(directory, "data")

    def token(self):
        made = subprocess.run([self.binary, "token", "create", "--data", self.data, "--role", "administrator"],
                              check=True, capture_output=True, text=True)
        return made.stdout.strip()

    def start(self):
        """Gives the seconds from exec to the line 'ready'."""
        begun = time.monotonic()
        self.log = open(os.path.join(self.directory, "log"), "ab")
        self.process = subprocess.Popen(
            [self.binary, self.command, "--data", self.data, "--http", f"127.0.0.1:{self.port}", "--https", "off",
             "--mqtt", f"127.0.0.1:{self.mqtt_port}", "--mqtts", "off", *self.words],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        for line in self.process.stdout:
            if line.startswith("ready"):
                break
        else:
            raise SystemExit(f"lineshaft did not start; see {self.log.name}")
        seconds = time.monotonic() - begun
        if not self.headers:
            self.headers = {"Authorization": f"Bearer {self.token()}"}
        return seconds

    def status(self):
        status, body = ask(self.port, "GET", "/api/v1/status", headers=self.headers)
        if status != 200:
            raise SystemExit(f"status answers {status}: {body}")
        return json.loads(body)

    def values(self):
        return self.status()["store"]["samples"]

    def counts(self, kind, start, end):
        """Count and sum by table and column, of the fields that are not fixed."""
        found = {}
        for table, columns in TABLES[kind].items():
            found[table] = {}
            for name in columns:
                pattern = f"{table}/**/{name}"
                rows = self.fleet_query({"select": [{"name": "n", "tags": pattern, "aggregate": "count"},
                                                    {"name": "s", "tags": pattern, "aggregate": "sum"}],
                                         "from": start, "to": end})["rows"]
                found[table][name] = tuple(rows[0]) if rows else (0, 0.0)
        return found

    def fleet_query(self, query):
        status, body = ask(self.port, "POST", "/api/v1/fleet-query", json.dumps(query), self.headers)
        if status != 200:
            raise SystemExit(f"fleet-query answers {status}: {body}")
        return json.loads(body)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def tags(self):
        paths, cursor = [], ""
        while cursor is not None:
            _, body = ask(self.port, "GET", f"/api/v1/tags?limit=500&cursor={cursor}", headers=self.headers)
            page = json.loads(body)
            paths += [item["path"] for item in page["items"]]
            cursor = page["next"] and urllib.parse.quote(page["next"])
        return paths

    def counts_by_tag(self, end):
        """How many samples queries find, of every tag; versions of one sample count once."""
        stamp = "%Y-%m-%dT%H:%M:%SZ"
        since, until_then = (time.strftime(stamp, time.gmtime(end + shift)) for shift in (-7 * 86400, 86400))
        paths = self.tags()
        counts = dict.fromkeys(paths, 0)
        for first in range(0, len(paths), 50):
            query = "&".join("tag=" + urllib.parse.quote(path) for path in paths[first:first + 50])
            _, body = ask(self.port, "GET", f"/api/v1/history?{query}&from={since}&to={until_then}&resolution=1h",
                          headers={**self.headers, "Accept": "text/csv"})
            for row in csv.DictReader(io.StringIO(body.decode())):
                counts[row["tag"]] += int(row["count"])
        return counts


class VictoriaMetrics(Server):
    name = "VictoriaMetrics"
    durability = "no log; memory is written out every few seconds"
    line_path = "/write?precision=ns"

    def start(self):
        self.spawn(["victoria-metrics", "-storageDataPath", os.path.join(self.directory, "data"), "-retentionPeriod",
                    "10y", "-httpListenAddr", f"127.0.0.1:{self.port}",
                    "-http.connTimeout", "2h"])  # Else it closes the sender's connections after two minutes.
        until("VictoriaMetrics", lambda: ask(self.port, "GET", "/health")[0] == 200)

    def counts(self, kind, start, end):
        """Count and sum by table and column, of the fields that are not fixed."""
        ask(self.port, "GET", "/internal/force_flush")
        found = {}
        for table, columns in TABLES[kind].items():
            found[table] = {}
            for name in columns:
                found[table][name] = tuple(
                    self.number(f'sum({function}({table}_{name}[{end - start}s]))', end - 1)
                    for function in ["count_over_time", "sum_over_time"])
        return found

    def settle(self):
        ask(self.port, "GET", "/internal/force_flush")
        ask(self.port, "GET", "/internal/force_merge")
        until("VictoriaMetrics' merges", lambda: not self.merging(), 900)

    def merging(self):
        _, body = ask(self.port, "GET", "/metrics")
        return any(line.startswith("vm_active_merges") and float(line.split()[-1]) > 0
                   for line in body.decode().splitlines())

    def number(self, query, time):
        path = f"/api/v1/query?query={urllib.parse.quote(query)}&time={time}&nocache=1"
        status, body = ask(self.port, "GET", path)
        if status != 200:
            raise SystemExit(f"VictoriaMetrics answers {status}: {body}")
        result = json.loads(body)["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def values(self):
        """What range queries see; rows become visible a moment after they were taken."""
        query = urllib.parse.quote('sum(count_over_time({__name__!=""}[30d]))')
        ask(self.port, "GET", "/internal/force_flush")
        _, body = ask(self.port, "GET", f"/api/v1/query?query={query}&nocache=1")
        result = json.loads(body)["data"]["result"]
        return int(float(result[0]["value"][1])) if result else 0


class InfluxDB(Server):
    name = "InfluxDB 1.6"
    durability = "fsync of its log before each answer"
    line_path = "/write?db=bench&precision=ns"

    def start(self):
        config = os.path.join(self.directory, "influxdb.conf")
        with open(config, "w") as file:
            file.write(f"""
reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
  dir = "{self.directory}/meta"
[data]
  dir = "{self.directory}/data"
  wal-dir = "{self.directory}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{self.port}"
  log-enabled = false
[monitor]
  store-enabled = false
""")
        self.spawn(["influxd", "-config", config])
        until("InfluxDB", lambda: ask(self.port, "POST", "/query?q=CREATE+DATABASE+bench")[0] == 200)

    def counts(self, kind, start, end):
        found = {}
        for table, columns in TABLES[kind].items():
            asked = ", ".join(f'count("{name}"), sum("{name}")' for name in columns)
            query = urllib.parse.quote(f'SELECT {asked} FROM "{table}"')
            status, body = ask(self.port, "GET", f"/query?db=bench&q={query}")
            if status != 200:
                raise SystemExit(f"InfluxDB answers {status}: {body}")
            series = json.loads(body)["results"][0].get("series")
            row = series[0]["values"][0][1:] if series else [0] * (2 * len(columns))
            found[table] = {name: (row[2 * i], row[2 * i + 1]) for i, name in enumerate(columns)}
        return found

    def values(self):
        query = urllib.parse.quote("SELECT count(*) FROM readings")
        _, body = ask(self.port, "GET", f"/query?db=bench&q={query}")
        series = json.loads(body)["results"][0].get("series")
        return sum(series[0]["values"][0][1:]) if series else 0


class Mosquitto(Server):
    name = "mosquitto"
    durability = "none: nothing is kept"

    def start(self):
        self.mqtt_port = self.port
        config = os.path.join(self.directory, "mosquitto.conf")
        with open(config, "w") as file:
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n"
                       "user root\n")
        self.spawn(["mosquitto", "-c", config])

        def is_up():
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        until("mosquitto", is_up)

    def values(self):
        return None


class NullSink(Server):
    name = "null sink"
    durability = "none: the sender's own speed"
    line_path = "/write"
    binary = ""

    def __init__(self, directory, kind):
        super().__init__(directory)
        self.kind = kind

    def start(self):
        self.mqtt_port = self.port
        self.spawn([self.binary, self.kind, "--port", str(self.port)])

        def is_up():
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        until("the null sink", is_up)

    def values(self):
        return None
