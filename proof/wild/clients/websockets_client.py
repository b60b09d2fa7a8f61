"""python3 websockets_client.py URL: Python's websockets."""
import asyncio, json, sys
import websockets

url, last, pause = sys.argv[1], "", 1.0


def report(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


async def main():
    global last, pause
    while True:
        try:
            async with websockets.connect(f"{url}&last_event_id={last}") as ws:
                async for text in ws:
                    m = json.loads(text)
                    last = m.get("id") or last
                    pause = m["data"].get("retry", pause * 1000) / 1000
                    match m["event"]:
                        case "wild.counted":
                            report("event", n=m["data"]["n"])
                        case "stream.gap" | "stream.end" as kind:
                            report(kind.removeprefix("stream."), text=json.dumps(m["data"]))
        except (OSError, websockets.WebSocketException) as e:
            report("note", text=repr(e)[:200])
        await asyncio.sleep(pause)


asyncio.run(main())
