#!/usr/bin/env python3
"""Sends a value each second over MQTT and shows what others send.   pip install paho-mqtt && python3 python_mqtt.py

From another machine:  LINESHAFT_TOKEN=ls_… python3 python_mqtt.py plant.example 8883 authority.crt

The token:  lineshaft token create --data DIR --role operator --name example
"""
import json
import math
import os
import sys
import time

import paho.mqtt.client as mqtt

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 1883
authority = sys.argv[3] if len(sys.argv) > 3 else None


def on_connect(client, userdata, flags, reason, properties):
    if reason.is_failure:
        sys.exit(f"refused: {reason}; is LINESHAFT_TOKEN set and valid?")
    client.subscribe("Example/#", qos=1)


def on_message(client, userdata, message):
    print(message.topic, message.payload.decode(errors="replace"))


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="python-example", protocol=mqtt.MQTTv5)
client.on_connect = on_connect
client.on_message = on_message
if token := os.environ.get("LINESHAFT_TOKEN"):
    client.username_pw_set("any", token)  # The user name does not matter.
if authority:
    client.tls_set(authority)
client.connect(host, port)
client.loop_start()
while True:
    now = time.time()
    values = {"temperature": round(20 + 5 * math.sin(now / 60), 2), "running": True}
    # The device Example/Python with the tags Example/Python/temperature and …/running, at this time.
    sent = client.publish("Example/Python", json.dumps({"ts": round(now * 1000), "values": values}), qos=1)
    sent.wait_for_publish(timeout=30)  # Returns when the values are on disk over there.
    time.sleep(1)
