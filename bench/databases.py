"""The peers that keep tables: ClickHouse and PostgreSQL, with one table a measurement and one of the keys."""

import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import urllib.parse

from servers import TABLES, Server, free_port, until

FIXED = ["load_capacity", "fuel_capacity", "nominal_fuel_consumption"]
KEYS = {"tsbs": ["name", "fleet", "driver", "model", "device_version"], "plant": ["line", "name"]}
FIXED_OF = {"tsbs": FIXED, "plant": []}


class ClickHouse(Server):
    name = "ClickHouse 18.16"
    durability = "none: the page cache, no sync"
    form = "tabs"

    def start(self):
        if not os.path.exists(self.config()):
            self.write_config()
        self.spawn(["clickhouse-server", "--config-file", self.config()])
        until("ClickHouse", lambda: self.ask("SELECT 1").strip() == "1")

    def config(self):
        return os.path.join(self.directory, "config.xml")

    def write_config(self):
        self.tcp_port, self.inner_port = free_port(), free_port()
        with open(os.path.join(self.directory, "users.xml"), "w") as file:
            file.write("""<yandex><profiles><default><max_memory_usage>12000000000</max_memory_usage>
<log_queries>0</log_queries></default></profiles><users><default><password></password>
<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default></users>
<quotas><default></default></quotas></yandex>""")
        with open(self.config(), "w") as file:
            file.write(f"""<yandex><logger><level>warning</level><log>{self.directory}/server.log</log>
<errorlog>{self.directory}/error.log</errorlog></logger><http_port>{self.port}</http_port>
<tcp_port>{self.tcp_port}</tcp_port><interserver_http_port>{self.inner_port}</interserver_http_port>
<listen_host>127.0.0.1</listen_host><path>{self.directory}/data/</path><tmp_path>{self.directory}/tmp/</tmp_path>
<users_config>{self.directory}/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>5368709120</mark_cache_size>
<timezone>UTC</timezone></yandex>""")

    def ask(self, query, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            if body is None:
                connection.request("POST", "/", query.encode())
            else:
                connection.request("POST", "/?query=" + urllib.parse.quote(query), body)
            response = connection.getresponse()
            text = response.read().decode()
            if response.status != 200:
                raise OSError(f"ClickHouse answers {response.status}: {text}")
            return text
        finally:
            connection.close()

    def make_tables(self, kind, keys):
        """The suite's schema: columns that may be null, ordered by key and time."""
        texts = "".join(f", {name} Nullable(String)" for name in KEYS[kind])
        fixed = "".join(f", {name} Float64" for name in FIXED_OF[kind])
        self.ask(f"CREATE TABLE tags (id UInt32{texts}{fixed}) ENGINE = MergeTree ORDER BY id")
        self.ask("INSERT INTO tags FORMAT TabSeparated", keys)
        for table, columns in TABLES[kind].items():
            values = "".join(f", {name} Nullable(Float64)" for name in columns)
            self.ask(f"CREATE TABLE {table} (time DateTime, tags_id UInt32{values}) ENGINE = MergeTree "
                     "PARTITION BY toYYYYMM(time) ORDER BY (tags_id, time)")

    line_path = "/?query=INSERT+INTO+TABLE+FORMAT+TabSeparated"

    def counts(self, kind, start=None, end=None):
        """What is there, by table and column: count and sum."""
        found = {}
        for table, columns in TABLES[kind].items():
            asked = ", ".join(f"count({name}), sum({name})" for name in columns)
            row = self.ask(f"SELECT {asked} FROM {table}").split()
            found[table] = {name: (int(row[2 * i]), float(row[2 * i + 1])) for i, name in enumerate(columns)}
        return found

    def values(self, kind="tsbs"):
        return sum(count for table in self.counts(kind).values() for count, _ in table.values())

    def settle(self):
        for table in self.ask("SHOW TABLES").split():
            self.ask(f"OPTIMIZE TABLE {table} FINAL")
        # Parts that a merge has replaced are removed eight minutes later; they are no data.
        self.ask("SYSTEM RELOAD CONFIG")

    def data_bytes(self):
        return int(self.ask("SELECT sum(bytes_on_disk) FROM system.parts WHERE active"))


class PostgreSQL(Server):
    name = "PostgreSQL 15"
    durability = "log synced within 0.6 s (synchronous_commit off)"
    bin = "/usr/lib/postgresql/15/bin"

    def start(self):
        data = os.path.join(self.directory, "data")
        if not os.path.exists(data):
            os.makedirs(data)
            shutil.chown(self.directory, "postgres", "postgres")
            shutil.chown(data, "postgres", "postgres")
            self.as_postgres([f"{self.bin}/initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--no-locale", "-U",
                              "bench"], check=True, stdout=subprocess.DEVNULL)
            with open(os.path.join(data, "postgresql.conf"), "a") as file:
                file.write("shared_buffers = 4GB\neffective_cache_size = 12GB\nwork_mem = 256MB\n"
                           "maintenance_work_mem = 1GB\nmax_wal_size = 16GB\nsynchronous_commit = off\n"
                           "timezone = 'UTC'\nunix_socket_directories = ''\nmax_parallel_workers_per_gather = 2\n"
                           "checkpoint_completion_target = 0.9\njit = off\n")
        self.log = open(os.path.join(self.directory, "log"), "ab")
        self.process = self.as_postgres([f"{self.bin}/postgres", "-D", data, "-p", str(self.port)], wait=False,
                                        stdout=self.log, stderr=self.log)
        until("PostgreSQL", lambda: PostgresConnection(self.port).ask("SELECT 1") == [["1"]])

    @staticmethod
    def as_postgres(command, wait=True, **more):
        start = subprocess.run if wait else subprocess.Popen
        user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        return start(command, cwd="/", **user, **more)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(120)
        self.log.close()

    def cpu_s(self):
        """Of the process and those it has started, ended ones included."""
        ticks = 0
        for pid in [self.process.pid, *self.children()]:
            try:
                with open(f"/proc/{pid}/stat") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
            if pid == self.process.pid:
                ticks += int(fields[13]) + int(fields[14])
        return ticks / os.sysconf("SC_CLK_TCK")

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            return [int(pid) for pid in file.read().split()]

    def rss_mb(self):
        """Proportional, as the buffers are shared."""
        total = 0
        for pid in [self.process.pid, *self.children()]:
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
            except OSError:
                continue
        return total / 1024

    def ask(self, query):
        connection = PostgresConnection(self.port)
        try:
            return connection.ask(query)
        finally:
            connection.close()

    def make_tables(self, kind, keys):
        texts = "".join(f", {name} text" for name in KEYS[kind])
        fixed = "".join(f", {name} double precision" for name in FIXED_OF[kind])
        self.ask(f"CREATE TABLE tags (id integer PRIMARY KEY{texts}{fixed})")
        self.copy("tags", keys)
        for table, columns in TABLES[kind].items():
            values = "".join(f", {name} double precision" for name in columns)
            self.ask(f"CREATE TABLE {table} (time timestamptz NOT NULL, tags_id integer{values})")
            self.ask(f"CREATE INDEX ON {table} (tags_id, time DESC)")
            self.ask(f"CREATE INDEX ON {table} USING brin (time)")

    def copy(self, table, text):
        subprocess.run(self.copy_command(table), input=text, check=True, stdout=subprocess.DEVNULL)

    def copy_command(self, table):
        return ["psql", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench", "-d", "postgres", "-c",
                f"\\copy {table} FROM STDIN"]

    def counts(self, kind, start=None, end=None):
        found = {}
        for table, columns in TABLES[kind].items():
            asked = ", ".join(f"count({name}), coalesce(sum({name}), 0)" for name in columns)
            row = self.ask(f"SELECT {asked} FROM {table}")[0]
            found[table] = {name: (int(row[2 * i]), float(row[2 * i + 1])) for i, name in enumerate(columns)}
        return found

    def values(self, kind="tsbs"):
        return sum(count for table in self.counts(kind).values() for count, _ in table.values())

    def settle(self):
        self.ask("VACUUM (FREEZE, ANALYZE)")
        self.ask("CHECKPOINT")

    def data_bytes(self):
        rows = self.ask("SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = "
                        "'public'::regnamespace")
        return int(rows[0][0])


class PostgresConnection:
    """The simple query protocol, as much of it as is needed."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=600)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        words = b"user\0bench\0database\0postgres\0\0"
        self.socket.sendall(struct.pack("!II", len(words) + 8, 196608) + words)
        self.rows_until_ready()

    def ask(self, query):
        text = query.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!I", len(text) + 4) + text)
        return self.rows_until_ready()

    def rows_until_ready(self):
        rows, error = [], None
        while True:
            kind = self.stream.read(1)
            if not kind:
                raise OSError("PostgreSQL has closed the connection")
            body = self.stream.read(struct.unpack("!I", self.stream.read(4))[0] - 4)
            if kind == b"D":
                rows.append(self.row(body))
            elif kind == b"E":
                error = body.replace(b"\0", b" ").decode(errors="replace")
            elif kind == b"Z":
                if error:
                    raise OSError(error)
                return rows

    @staticmethod
    def row(body):
        values, at = [], 2
        for _ in range(struct.unpack_from("!H", body)[0]):
            size = struct.unpack_from("!i", body, at)[0]
            at += 4
            values.append(None if size < 0 else body[at:at + size].decode())
            at += max(size, 0)
        return values

    def close(self):
        self.socket.close()


def made_sums(made, kind):
    """What the generator says it made, as counts() gives it: fixed columns left out."""
    decimals = {"latitude": 5, "longitude": 5, "fuel_consumption": 1, "fuel_state": 1, "temperature": 1, "pressure": 3,
                "flow": 2, "current": 2, "vibration": 2, "level": 2, "set_point": 1}
    return {table: {name: (made["tables"][table][name]["count"],
                           made["tables"][table][name]["digits"] / 10 ** decimals.get(name, 0)) for name in columns}
            for table, columns in TABLES[kind].items()}


def agree(found, made, kind):
    """Every count is the same, every sum but for rounding."""
    expected = made_sums(made, kind)
    for table, columns in expected.items():
        for name, (count, total) in columns.items():
            got_count, got_total = found[table][name]
            if got_count != count or abs(got_total - total) > 1e-9 * max(1.0, abs(total)):
                return f"{table}.{name}: {got_count} values that sum to {got_total}, not {count} and {total}"
    return None
