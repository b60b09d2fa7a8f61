"""python3 aiohttp_client.py URL: Python's aiohttp, for SSE and WebSocket."""
import asyncio, json, sys
import aiohttp

url = sys.argv[1]
last, pause = "", 1.0


def report(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


def hand_out(kind, data):
    if kind == "wild.counted":
        event = json.loads(data)
        if event["text"] != "naïve ✓":
            report("blank", text=event["text"])
        report("event", n=event["n"])
    elif kind in ("stream.cursor", "stream.gap", "stream.end"):
        report(kind.removeprefix("stream."), text="" if kind == "stream.cursor" else data)
    else:
        report("blank", text=f"{kind} {data}")


async def read_sse(session):
    global last, pause
    headers = {"Last-Event-ID": last} if last else {}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
    async with session.get(url, headers=headers, timeout=timeout) as r:
        r.raise_for_status()
        id, kind, data = last, "", []
        async for line in r.content:
            line = line.decode().rstrip("\n")
            field, _, value = line.partition(": ")
            if field == "id":
                id = value
            elif field == "event":
                kind = value
            elif field == "data":
                data.append(value)
            elif field == "retry":
                pause = int(value) / 1000
            elif not line:
                last = id
                if data:
                    hand_out(kind, "\n".join(data))
                kind, data = "", []


async def read_ws(session):
    global last, pause
    async with session.ws_connect(f"{url}&last_event_id={last}") as ws:
        async for m in ws:
            m = json.loads(m.data)
            last = m.get("id") or last
            pause = m["data"].get("retry", pause * 1000) / 1000
            hand_out(m["event"], json.dumps(m["data"]))


async def main():
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                await (read_ws if url.startswith("ws") else read_sse)(session)
            except (aiohttp.ClientError, asyncio.TimeoutError) as e:
                report("note", text=repr(e)[:200])
            await asyncio.sleep(pause)


asyncio.run(main())
