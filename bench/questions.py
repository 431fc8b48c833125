"""The twelve questions of the Time Series Benchmark Suite's iot set, for each program that can be asked.

Where the suite's own texts differ between databases or contain an oversight, the meaning here is one for all:
 * only trucks whose five texts are all known count;
 * "last" is the last known value of each field, not the field of the last line, which may lack it;
 * a bucket of ten minutes is broken down when at least half of its states are 0;
 * numbers are divided as numbers, not as integers;
 * the windows of the short questions begin at whole ten minutes.
"""

import http.client
import json
import random
import urllib.parse

from databases import ClickHouse, PostgreSQL, PostgresConnection
from servers import InfluxDB, Lineshaft, VictoriaMetrics

TEN = 600
FLEETS = ["East", "West", "North", "South"]
PATH = "{device_version}/{driver}/{fleet}/{model}/{name}"


def path(table, field, fleet="{fleet}"):
    fleet = fleet if fleet == "{fleet}" else "{fleet:" + fleet + "}"
    return f"{table}/{PATH}/{field}".replace("{fleet}", fleet)


class Question:
    """`ours`, `clickhouse`, `postgres`, `influx`, `victoria` give the text to send for a window and a fleet."""

    def __init__(self, name, hours=None, count=20):
        self.name, self.hours, self.count = name, hours, count

    def windows(self, start, end):
        chance = random.Random(self.name)
        found = []
        for _ in range(self.count):
            begin, stop = start, end
            if self.hours:
                length = int(self.hours * 3600)
                slots = max(0, (end - start - length) // TEN)
                begin = start + chance.randrange(slots + 1) * TEN
                stop = begin + length
            trucks = sorted(chance.sample(range(100), 3))
            found.append({"from": begin, "to": stop, "fleet": chance.choice(FLEETS),
                          "names": [f"truck_{truck}" for truck in trucks]})
        return found


def select(name, table, field, w=None, **more):
    return {"name": name, "tags": path(table, field, w["fleet"] if w else "{fleet}"), **more}


def span(w):
    return {"from": w["from"], "to": w["to"], "limit": 1_000_000}


def column(name, aggregate, of=None):
    return {"name": name, "aggregate": aggregate, **({"of": of} if of else {})}


NAMES = ["driver", "name"]

OURS = {
    "last-loc": lambda w: {"select": [select("longitude", "readings", "longitude", w),
                                      select("latitude", "readings", "latitude", w)], "values": "last"},
    "single-last-loc": lambda w: {
        "select": [{"name": field, "tags": path("readings", field).replace("{name}", "{name:" + "|".join(w["names"]) + "}")}
                   for field in ["longitude", "latitude"]], "values": "last"},
    "low-fuel": lambda w: {"select": [select("fuel", "diagnostics", "fuel_state", w)], "values": "last",
                           "where": "fuel < 0.1"},
    "high-load": lambda w: {"select": [select("load", "diagnostics", "current_load", w),
                                       select("capacity", "diagnostics", "load_capacity", w)], "values": "last",
                            "where": "load / capacity > 0.9"},
    "stationary-trucks": lambda w: {"select": [select("v", "readings", "velocity", w)], **span(w), "where": "v < 1"},
    "long-driving-sessions": lambda w: {
        "select": [select("v", "readings", "velocity", w)], **span(w), "bucket": "10m", "where": "v > 1",
        "per": {"values": [column("n", "count")]}, "having": "n > 22"},
    "long-daily-sessions": lambda w: {
        "select": [select("v", "readings", "velocity", w)], **span(w), "bucket": "10m", "where": "v > 1",
        "per": {"values": [column("n", "count")]}, "having": "n > 60"},
    "avg-vs-projected-fuel-consumption": lambda w: {
        "select": [select("v", "readings", "velocity"),
                   select("s", "readings", "fuel_consumption", aggregate="sum", when="v > 1"),
                   select("n", "readings", "fuel_consumption", aggregate="count", when="v > 1"),
                   select("p", "readings", "nominal_fuel_consumption", aggregate="last")], **span(w),
        "group": {"by": ["fleet"], "values": [column("s", "sum", "s"), column("n", "sum", "n"),
                                              column("p", "sum", "p * n")]}},
    "avg-daily-driving-duration": lambda w: {
        "select": [select("v", "readings", "velocity")], **span(w), "bucket": "10m", "where": "v > 1",
        "per": {"bucket": "1d", "values": [column("n", "count")]},
        "group": {"by": ["fleet", "name", "driver"], "values": [column("hours", "mean", "n / 6")]}},
    "avg-daily-driving-session": lambda w: {
        "select": [select("v", "readings", "velocity")], **span(w), "bucket": "10m", "where": "v > 5",
        "per": {"bucket": "1d", "values": [column("seconds", "mean_run")]},
        "group": {"by": ["name", "time"], "values": [column("seconds", "mean", "seconds")]}},
    "avg-load": lambda w: {
        "select": [select("load", "diagnostics", "current_load"),
                   select("capacity", "diagnostics", "load_capacity", aggregate="last")], **span(w),
        "group": {"by": ["fleet", "model"], "values": [column("share", "mean", "load / capacity")]}},
    "daily-activity": lambda w: {
        "select": [select("s", "diagnostics", "status"), select("n", "diagnostics", "status", aggregate="count")],
        **span(w), "bucket": "10m", "where": "s < 1",
        "per": {"bucket": "1d", "values": [column("n", "sum", "n")]},
        "group": {"by": ["fleet", "model", "time"], "values": [column("activity", "sum", "n / 144")]}},
    "breakdown-frequency": lambda w: {
        "select": [select("b", "diagnostics", "status", value="b == 0")], **span(w), "bucket": "10m",
        "where": "b >= 0.5", "per": {"values": [column("n", "transitions")]},
        "group": {"by": ["model"], "values": [column("n", "sum", "n")]}},
}

WHOLE = " AND ".join(f"{name} IS NOT NULL" for name in ["name", "fleet", "driver", "model", "device_version"])


def wanted(w, names=False):
    if names:
        return WHOLE + " AND name IN (" + ", ".join(f"'{name}'" for name in w["names"]) + ")"
    return WHOLE + f" AND fleet = '{w['fleet']}'"


def pg_last(table, fields, condition, having="true", extra=""):
    joins = " ".join(
        f"JOIN LATERAL (SELECT {field} FROM {table} WHERE tags_id = t.id AND {field} IS NOT NULL ORDER BY time DESC "
        f"LIMIT 1) r{i} ON true" for i, field in enumerate(fields))
    return f"SELECT t.driver, t.name, {', '.join(fields)}{extra} FROM tags t {joins} WHERE {condition} AND {having}"


def pg_range(w):
    return f"time >= to_timestamp({w['from']}) AND time < to_timestamp({w['to']})"


def pg_sessions(w, above):
    return (f"SELECT t.driver, t.name, count(*) FROM tags t JOIN (SELECT tags_id, date_bin('10 minutes', time, "
            f"'2000-01-01') AS ten FROM readings WHERE {pg_range(w)} AND tags_id IN (SELECT id FROM tags WHERE "
            f"{wanted(w)}) GROUP BY tags_id, ten HAVING avg(velocity) > 1) r ON t.id = r.tags_id GROUP BY t.driver, "
            f"t.name HAVING count(*) > {above}")


PG_TENS = ("SELECT tags_id, date_bin('10 minutes', time, '2000-01-01') AS ten, {0} FROM {1} WHERE {2} AND tags_id IN "
           "(SELECT id FROM tags WHERE " + WHOLE + ") GROUP BY tags_id, ten")

POSTGRES = {
    "last-loc": lambda w: pg_last("readings", ["longitude", "latitude"], wanted(w)),
    "single-last-loc": lambda w: pg_last("readings", ["longitude", "latitude"], wanted(w, True)),
    "low-fuel": lambda w: pg_last("diagnostics", ["fuel_state"], wanted(w), "fuel_state < 0.1"),
    "high-load": lambda w: pg_last("diagnostics", ["current_load"], wanted(w), "current_load / load_capacity > 0.9",
                                   ", load_capacity"),
    "stationary-trucks": lambda w: (
        f"SELECT t.driver, t.name, avg(velocity) FROM tags t JOIN readings r ON r.tags_id = t.id WHERE {pg_range(w)} AND "
        f"{wanted(w)} GROUP BY t.driver, t.name HAVING avg(velocity) < 1"),
    "long-driving-sessions": lambda w: pg_sessions(w, 22),
    "long-daily-sessions": lambda w: pg_sessions(w, 60),
    "avg-vs-projected-fuel-consumption": lambda w: (
        f"SELECT fleet, sum(s), sum(n), sum(n * nominal_fuel_consumption) FROM tags t JOIN (SELECT tags_id, "
        f"sum(fuel_consumption) AS s, count(fuel_consumption) AS n FROM readings WHERE velocity > 1 AND {pg_range(w)} "
        f"GROUP BY tags_id) r ON r.tags_id = t.id WHERE {WHOLE} GROUP BY fleet"),
    "avg-daily-driving-duration": lambda w: (
        f"SELECT fleet, name, driver, avg(hours) FROM (SELECT tags_id, date_bin('1 day', ten, '2000-01-01') AS day, "
        f"count(*) / 6.0 AS hours FROM ({PG_TENS.format('avg(velocity) AS v', 'readings', pg_range(w))} HAVING "
        "avg(velocity) > 1) x GROUP BY tags_id, day) d JOIN tags t ON t.id = d.tags_id GROUP BY fleet, name, driver"),
    "avg-daily-driving-session": lambda w: (
        f"WITH s AS ({PG_TENS.format('avg(velocity) > 5 AS driving', 'readings', pg_range(w))}), c AS (SELECT tags_id, "
        "ten AS start, driving, lead(ten) OVER (PARTITION BY tags_id ORDER BY ten) AS stop FROM (SELECT tags_id, ten, "
        "driving, lag(driving) OVER (PARTITION BY tags_id ORDER BY ten) AS before FROM s) x WHERE driving <> before) "
        "SELECT name, extract(epoch FROM date_bin('1 day', start, '2000-01-01')) * 1000, avg(extract(epoch FROM stop - "
        "start)) FROM c JOIN tags t ON t.id = c.tags_id WHERE driving AND stop IS NOT NULL GROUP BY 1, 2"),
    "avg-load": lambda w: (
        f"SELECT fleet, model, avg(l / load_capacity) FROM tags t JOIN (SELECT tags_id, avg(current_load) AS l FROM "
        f"diagnostics WHERE {pg_range(w)} GROUP BY tags_id) d ON t.id = d.tags_id WHERE {WHOLE} GROUP BY fleet, model"),
    "daily-activity": lambda w: (
        f"SELECT fleet, model, extract(epoch FROM date_bin('1 day', ten, '2000-01-01')) * 1000, sum(n) / 144.0 FROM "
        f"({PG_TENS.format('count(status) AS n', 'diagnostics', pg_range(w))} HAVING avg(status) < 1) y JOIN tags t ON "
        "t.id = y.tags_id GROUP BY 1, 2, 3"),
    "breakdown-frequency": lambda w: (
        "SELECT model, count(*) FROM (SELECT tags_id, broken, lead(broken) OVER (PARTITION BY tags_id ORDER BY ten) AS "
        f"next FROM ({PG_TENS.format('avg((status = 0)::int) >= 0.5 AS broken', 'diagnostics', pg_range(w))}) x) y JOIN "
        "tags t ON t.id = y.tags_id WHERE NOT broken AND next GROUP BY model"),
}


def ch_tags(condition, columns):
    return f"ANY INNER JOIN (SELECT id AS tags_id, {columns} FROM tags WHERE {condition}) USING tags_id"


def ch_last(table, fields, condition, having="1", fixed=""):
    values = ", ".join(f"argMax({field}, time) AS last_{field}" for field in fields)
    present = " AND ".join(f"{field} IS NOT NULL" for field in fields[:1])
    if len(fields) == 1:
        inner = (f"SELECT tags_id, {values} FROM {table} WHERE {present} AND tags_id IN (SELECT id FROM tags WHERE "
                 f"{condition}) GROUP BY tags_id")
    else:
        values = ", ".join(f"argMaxIf({field}, time, {field} IS NOT NULL) AS last_{field}" for field in fields)
        inner = (f"SELECT tags_id, {values} FROM {table} WHERE tags_id IN (SELECT id FROM tags WHERE {condition}) GROUP "
                 "BY tags_id")
    extra = f", {fixed}" if fixed else ""
    shown = ", ".join("last_" + field for field in fields)
    return (f"SELECT driver, name, {shown}{extra} FROM ({inner}) {ch_tags(condition, 'driver, name' + extra)} "
            f"WHERE {having}")


def ch_range(w):
    return f"time >= toDateTime({w['from']}) AND time < toDateTime({w['to']})"


def ch_tens(values, table, w, condition=WHOLE, having=""):
    return (f"SELECT tags_id, intDiv(toUInt32(time), 600) * 600 AS ten, {values} FROM {table} WHERE {ch_range(w)} AND "
            f"tags_id IN (SELECT id FROM tags WHERE {condition}) GROUP BY tags_id, ten {having}")


def ch_sessions(w, above):
    return (f"SELECT driver, name, n FROM (SELECT tags_id, count() AS n FROM "
            f"({ch_tens('avg(velocity) AS v', 'readings', w, wanted(w), 'HAVING v > 1')}) GROUP BY tags_id HAVING n > "
            f"{above}) {ch_tags(wanted(w), 'driver, name')}")


def ch_changes(state, table, w):
    """Of each truck: its buckets in order, and where the state is not that of the bucket before."""
    return ("SELECT tags_id, arraySort(x -> x.1, groupArray((ten, s))) AS b, arrayFilter(i -> i > 1 AND b[i].2 != "
            "b[i - 1].2, arrayEnumerate(b)) AS c, arrayCount(i -> b[i].2 = 1, c) AS starts FROM (SELECT tags_id, ten, "
            f"assumeNotNull(s0) AS s FROM ({ch_tens(state + ' AS s0', table, w)})) GROUP BY tags_id")


CLICKHOUSE = {
    "last-loc": lambda w: ch_last("readings", ["longitude", "latitude"], wanted(w)),
    "single-last-loc": lambda w: ch_last("readings", ["longitude", "latitude"], wanted(w, True)),
    "low-fuel": lambda w: ch_last("diagnostics", ["fuel_state"], wanted(w), "last_fuel_state < 0.1"),
    "high-load": lambda w: ch_last("diagnostics", ["current_load"], wanted(w),
                                   "last_current_load / load_capacity > 0.9", "load_capacity"),
    "stationary-trucks": lambda w: (
        f"SELECT driver, name, v FROM (SELECT tags_id, avg(velocity) AS v FROM readings WHERE {ch_range(w)} AND tags_id "
        f"IN (SELECT id FROM tags WHERE {wanted(w)}) GROUP BY tags_id HAVING v < 1) "
        f"{ch_tags(wanted(w), 'driver, name')}"),
    "long-driving-sessions": lambda w: ch_sessions(w, 22),
    "long-daily-sessions": lambda w: ch_sessions(w, 60),
    "avg-vs-projected-fuel-consumption": lambda w: (
        f"SELECT fleet, sum(s), sum(n), sum(n * nominal_fuel_consumption) FROM (SELECT tags_id, sum(fuel_consumption) AS "
        f"s, count(fuel_consumption) AS n FROM readings WHERE velocity > 1 AND {ch_range(w)} GROUP BY tags_id) "
        f"{ch_tags(WHOLE, 'fleet, nominal_fuel_consumption')} GROUP BY fleet"),
    "avg-daily-driving-duration": lambda w: (
        f"SELECT fleet, name, driver, avg(hours) FROM (SELECT tags_id, intDiv(ten, 86400) AS day, count() / 6 AS hours "
        f"FROM ({ch_tens('avg(velocity) AS v', 'readings', w, having='HAVING v > 1')}) GROUP BY tags_id, day) "
        f"{ch_tags(WHOLE, 'fleet, name, driver')} GROUP BY fleet, name, driver"),
    "avg-daily-driving-session": lambda w: (
        "SELECT name, intDiv(start, 86400) * 86400000 AS day, avg(stop - start) FROM (SELECT tags_id, b[c[j]].1 AS "
        "start, b[c[j + 1]].1 AS stop FROM (SELECT tags_id, b, c, arrayJoin(arrayFilter(k -> b[c[k]].2 = 1 AND k < "
        f"length(c), arrayEnumerate(c))) AS j FROM ({ch_changes('avg(velocity) > 5', 'readings', w)}))) "
        f"{ch_tags(WHOLE, 'name')} GROUP BY name, day"),
    "avg-load": lambda w: (
        f"SELECT fleet, model, avg(l / load_capacity) FROM (SELECT tags_id, avg(current_load) AS l FROM diagnostics "
        f"WHERE {ch_range(w)} GROUP BY tags_id) {ch_tags(WHOLE, 'fleet, model, load_capacity')} GROUP BY fleet, model"),
    "daily-activity": lambda w: (
        f"SELECT fleet, model, day * 86400000, sum(m) / 144 FROM (SELECT tags_id, intDiv(ten, 86400) AS day, sum(n) AS m "
        f"FROM ({ch_tens('avg(status) AS s, count(status) AS n', 'diagnostics', w, having='HAVING s < 1')}) GROUP BY "
        f"tags_id, day) {ch_tags(WHOLE, 'fleet, model')} GROUP BY fleet, model, day"),
    "breakdown-frequency": lambda w: (
        f"SELECT model, sum(starts) FROM ({ch_changes('avg(status = 0) >= 0.5', 'diagnostics', w)}) "
        f"{ch_tags(WHOLE, 'model')} GROUP BY model"),
}

# InfluxQL: a truck without one of its texts has an empty tag.
I_WHOLE = " AND ".join(f"\"{name}\" != ''" for name in ["name", "fleet", "driver", "model", "device_version"])


def i_where(w, names=False):
    if names:
        return I_WHOLE + " AND (" + " OR ".join(f"\"name\" = '{name}'" for name in w["names"]) + ")"
    return I_WHOLE + f" AND \"fleet\" = '{w['fleet']}'"


def i_range(w):
    return f"time >= {w['from']}s AND time < {w['to']}s"


def i_sessions(w, above):
    return (f"SELECT n FROM (SELECT count(mv) AS n FROM (SELECT mean(velocity) AS mv FROM readings WHERE {i_where(w)} "
            f"AND {i_range(w)} GROUP BY time(10m), driver, \"name\") WHERE mv > 1 AND {i_range(w)} GROUP BY driver, "
            f"\"name\") WHERE n > {above} GROUP BY driver, \"name\"")


INFLUX = {
    "last-loc": lambda w: (f"SELECT last(longitude) FROM readings WHERE {i_where(w)} GROUP BY driver, \"name\"; SELECT "
                           f"last(latitude) FROM readings WHERE {i_where(w)} GROUP BY driver, \"name\""),
    "single-last-loc": lambda w: (
        f"SELECT last(longitude) FROM readings WHERE {i_where(w, True)} GROUP BY driver, \"name\"; SELECT "
        f"last(latitude) FROM readings WHERE {i_where(w, True)} GROUP BY driver, \"name\""),
    "low-fuel": lambda w: (f"SELECT f FROM (SELECT last(fuel_state) AS f FROM \"diagnostics\" WHERE {i_where(w)} GROUP BY "
                           "driver, \"name\") WHERE f < 0.1 GROUP BY driver, \"name\""),
    "stationary-trucks": lambda w: (
        f"SELECT v FROM (SELECT mean(velocity) AS v FROM readings WHERE {i_where(w)} AND {i_range(w)} GROUP BY driver, "
        "\"name\") WHERE v < 1 GROUP BY driver, \"name\""),
    "long-driving-sessions": lambda w: i_sessions(w, 22),
    "long-daily-sessions": lambda w: i_sessions(w, 60),
}

# MetricsQL: windows are (t - length, t], so a millisecond is taken off both ends.
V_WHOLE = 'driver!="",fleet!="",model!="",device_version!=""'


def v_labels(w, names=False):
    return V_WHOLE + (f',name=~"{"|".join(w["names"])}"' if names else f',fleet="{w["fleet"]}"')


def v_tens(labels):
    return f"avg_over_time(readings_velocity{{{labels}}}[10m] offset 1ms)"


def v_last(field, labels, w):
    return f"last_over_time({field}{{{labels}}}[{w['to'] - w['from']}s])"


def v_sessions(w, above):
    return (f"count_over_time(({v_tens(v_labels(w))} > 1)[{w['to'] - w['from']}s:10m]) > {above}")


VICTORIA = {
    "last-loc": lambda w: [v_last("readings_longitude", v_labels(w), w), v_last("readings_latitude", v_labels(w), w)],
    "single-last-loc": lambda w: [v_last("readings_longitude", v_labels(w, True), w),
                                  v_last("readings_latitude", v_labels(w, True), w)],
    "low-fuel": lambda w: [v_last("diagnostics_fuel_state", v_labels(w), w) + " < 0.1"],
    "stationary-trucks": lambda w: [v_tens(v_labels(w)) + " < 1"],
    "long-driving-sessions": lambda w: [v_sessions(w, 22)],
    "long-daily-sessions": lambda w: [v_sessions(w, 60)],
    "avg-daily-driving-duration": lambda w: [
        f"avg_over_time(count_over_time(({v_tens(V_WHOLE)} > 1)[1d:10m])[{w['to'] - w['from']}s:1d]) / 6"],
}

QUESTIONS = [Question("last-loc"), Question("single-last-loc"), Question("low-fuel"), Question("high-load"),
             Question("stationary-trucks", 10 / 60), Question("long-driving-sessions", 4),
             Question("long-daily-sessions", 24), Question("avg-vs-projected-fuel-consumption", count=3),
             Question("avg-daily-driving-duration", count=3), Question("avg-daily-driving-session", count=3),
             Question("avg-load", count=3), Question("daily-activity", count=3),
             Question("breakdown-frequency", count=3)]
LAST = {"last-loc", "single-last-loc", "low-fuel", "high-load"}


class Asker:
    """A kept connection; rows() gives the answer as a set of tuples, ask() only its bytes."""

    def __init__(self, server):
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=900)

    def http(self, method, target, body=None, headers=None):
        try:
            self.connection.request(method, target, body, headers or {})
            response = self.connection.getresponse()
        except (ConnectionError, http.client.RemoteDisconnected):
            self.connection.close()  # Ended while another one was asked; it is made again by itself.
            self.connection.request(method, target, body, headers or {})
            response = self.connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise OSError(f"{self.server.name} answers {response.status}: {answer[:500]}")
        return answer


class AskLineshaft(Asker):
    table = OURS

    def ask(self, name, w):
        return self.http("POST", "/api/v1/fleet-query", json.dumps(OURS[name](w)), self.server.headers)

    def rows(self, name, w):
        answer = json.loads(self.ask(name, w))
        columns = answer["columns"]
        hidden = {"device_version", "model", "fleet"} if name in LAST or self.is_short(name) else set()
        if name in LAST:
            hidden.add("time")
        keep = [i for i, column in enumerate(columns) if column not in hidden]
        return [tuple(row[i] for i in keep) for row in answer["rows"]]

    @staticmethod
    def is_short(name):
        return name in {"stationary-trucks", "long-driving-sessions", "long-daily-sessions"}


class AskClickHouse(Asker):
    table = CLICKHOUSE

    def ask(self, name, w):
        return self.http("POST", "/", CLICKHOUSE[name](w).encode())

    def rows(self, name, w):
        return [tuple(number_or_text(cell) for cell in line.split("\t"))
                for line in self.ask(name, w).decode().splitlines()]


class AskPostgres:
    table = POSTGRES

    def __init__(self, server):
        self.connection = PostgresConnection(server.port)

    def ask(self, name, w):
        return self.connection.ask(POSTGRES[name](w))

    def rows(self, name, w):
        return [tuple(number_or_text(cell) for cell in row) for row in self.ask(name, w)]


class AskInflux(Asker):
    table = INFLUX

    def ask(self, name, w):
        query = urllib.parse.quote(INFLUX[name](w))
        return self.http("GET", f"/query?db=bench&epoch=ms&q={query}")

    def rows(self, name, w):
        found = {}
        for result in json.loads(self.ask(name, w))["results"]:
            if "error" in result:
                raise OSError(result["error"])
            for series in result.get("series", []):
                key = (series["tags"]["driver"], series["tags"]["name"])
                found.setdefault(key, []).append(series["values"][0][1])
        return [(*key, *values) for key, values in found.items()]


class AskVictoria(Asker):
    table = VICTORIA

    def ask(self, name, w):
        return [self.http("GET", f"/api/v1/query?nocache=1&time={w['to']}&query={urllib.parse.quote(query)}")
                for query in VICTORIA[name](w)]

    def rows(self, name, w):
        found = {}
        for answer in self.ask(name, w):
            for series in json.loads(answer)["data"]["result"]:
                labels = series["metric"]
                key = ((labels["fleet"], labels["name"], labels["driver"]) if name == "avg-daily-driving-duration" else
                       (labels["driver"], labels["name"]))
                found.setdefault(key, []).append(float(series["value"][1]))
        return [(*key, *values) for key, values in found.items()]


ASKERS = {Lineshaft: AskLineshaft, ClickHouse: AskClickHouse, PostgreSQL: AskPostgres, InfluxDB: AskInflux,
          VictoriaMetrics: AskVictoria}


def number_or_text(cell):
    try:
        return float(cell)
    except (TypeError, ValueError):
        return cell


def differ(ours, theirs):
    """None when both hold the same rows; numbers may differ in the last bits."""
    def key(row):
        return tuple((0, cell) if isinstance(cell, str) else (1, round(cell, 6) if cell is not None else -1e300)
                     for cell in row)

    if len(ours) != len(theirs):
        return f"{len(ours)} rows here, {len(theirs)} there"
    for a, b in zip(sorted(ours, key=key), sorted(theirs, key=key)):
        if len(a) != len(b):
            return f"{a} here, {b} there"
        for left, right in zip(a, b):
            if isinstance(left, str) or isinstance(right, str) or left is None or right is None:
                same = left == right
            else:
                same = abs(left - right) <= 1e-9 * max(1.0, abs(left))
            if not same:
                return f"{a} here, {b} there"
    return None
