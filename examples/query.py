#!/usr/bin/env python3
"""Prints the last hour of tags, a line a minute.   LINESHAFT_TOKEN=ls_… python3 query.py Plant/Mixer/speed [TAG…]

From another machine:  LINESHAFT_SERVER=https://plant.example:8443 LINESHAFT_CA=authority.crt …

The token:  lineshaft token create --data DIR --role viewer --scope data:read --name example
"""
import datetime
import json
import os
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

server = os.environ.get("LINESHAFT_SERVER", "http://127.0.0.1:8080")
authority = os.environ.get("LINESHAFT_CA")


def history(tags, **parameters):
    query = urllib.parse.urlencode([("tag", tag) for tag in tags] + list(parameters.items()))
    request = urllib.request.Request(f"{server}/api/v1/history?{query}", headers={
        "Authorization": f"Bearer {os.environ.get('LINESHAFT_TOKEN', '')}", "Accept": "application/json"})
    context = ssl.create_default_context(cafile=authority) if authority else None
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return json.load(answer)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        answer = history(sys.argv[1:], **{"from": "now-1h", "resolution": "1m"})
    except urllib.error.HTTPError as refused:
        problem = json.load(refused)  # Every error says what happened and what to do.
        sys.exit(f"{problem['code']}: {problem['title']} ({problem['detail']})\n  try  {problem['remedy']}")
    for series in answer["series"]:
        samples = series["completeness"]["samples"]
        print(f"{series['path']} [{series['unit']}], {samples} samples")
        # Buckets: min, max and mean are null where no sample was good.
        for time_ms, low, high, mean in zip(series["times"], series["min"], series["max"], series["mean"]):
            at = datetime.datetime.fromtimestamp(time_ms / 1000).strftime("%H:%M")
            print(f"  {at}  {low}  {high}  {mean}")


if __name__ == "__main__":
    main()
