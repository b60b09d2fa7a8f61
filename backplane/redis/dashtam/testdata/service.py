"""The Python service of the tests: publishes events as it is told on stdin, and
prints what it hears.

Usage: service.py PORT publish|listen

publish reads one JSON object per line: user (or null for everyone), type, data,
and optionally id, time (datetime.isoformat), retain, pubsub. It answers each
with the event's id.

listen subscribes, prints "listening", and then one JSON object per message:
where it came, and the fields as Python understands them.
"""

import datetime
import json
import os
import sys
import time
import uuid

import redis

MAXLEN = 1000
TTL = 3600


def uuid7():
    value = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def publish(r, order):
    event = {
        "event_id": order.get("id") or str(uuid7()),
        "event_type": order["type"],
        "user_id": order["user"] or str(uuid.UUID(int=0)),
        "data": order["data"],
        "occurred_at": order.get("time") or datetime.datetime.now(datetime.timezone.utc).isoformat(),
    }
    if order.get("retain"):
        key = "sse:stream:user:" + order["user"]
        r.xadd(
            key,
            {
                "event_id": event["event_id"],
                "event_type": event["event_type"],
                "data": json.dumps(event["data"]),
                "occurred_at": event["occurred_at"],
            },
            maxlen=MAXLEN,
            approximate=True,
        )
        if r.ttl(key) == -1:
            r.expire(key, TTL)
    if order.get("pubsub", True):
        channel = "sse:user:" + order["user"] if order["user"] else "sse:broadcast"
        r.publish(channel, json.dumps(event))
    return event["event_id"]


def understood(event_id, event_type, user_id, data, occurred_at):
    occurred = datetime.datetime.fromisoformat(occurred_at)
    assert occurred.tzinfo is not None and occurred.utcoffset() == datetime.timedelta(0)
    return {
        "event_id": str(uuid.UUID(event_id)),
        "event_type": event_type,
        "user_id": str(uuid.UUID(user_id)),
        "data": data,
        "timestamp": occurred.timestamp(),
        "text": occurred_at,
    }


def listen(r):
    p = r.pubsub()
    p.psubscribe("sse:user:*")
    p.subscribe("sse:broadcast")
    left = 2
    for message in p.listen():
        if message["type"] in ("psubscribe", "subscribe"):
            left -= 1
            if left == 0:
                say("listening")
            continue
        channel = message["channel"]
        event = json.loads(message["data"])
        say({"channel": channel, **understood(**event)})
        if channel.startswith("sse:user:"):
            user = channel[len("sse:user:"):]
            key = "sse:stream:user:" + user
            for _, fields in r.xrevrange(key, count=1):
                data = json.loads(fields.pop("data"))
                say({"channel": key, "ttl": r.ttl(key), **understood(user_id=user, data=data, **fields)})


def say(what):
    print(json.dumps(what), flush=True)


def main():
    r = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
    if sys.argv[2] == "listen":
        listen(r)
    for line in sys.stdin:
        say(publish(r, json.loads(line)))


main()
