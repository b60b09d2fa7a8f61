// What every client says of its stream: see report.go.

const params = new URLSearchParams(location.search);
const client = params.get('user');
const collector = new WebSocket(params.get('collector'));
const early = [];
collector.onopen = () => { for (const text of early.splice(0)) collector.send(text); };

export function report(what, more = {}) {
  const text = JSON.stringify({ client, what, ...more });
  if (collector.readyState === WebSocket.OPEN) collector.send(text);
  else early.push(text);
}

export const note = (text) => report('note', { text: String(text) });

addEventListener('error', (e) => note(e.message));
addEventListener('unhandledrejection', (e) => note(e.reason));

export const TYPES = ['wild.counted', 'stream.cursor', 'stream.gap', 'stream.end'];

// handOut is called for each event that a library hands out.
export function handOut(type, data) {
  switch (type) {
    case 'wild.counted': {
      const { n, text } = JSON.parse(data);
      if (text !== 'naïve ✓') report('blank', { text });
      report('event', { n });
      break;
    }
    case 'stream.cursor': report('cursor'); break;
    case 'stream.gap': report('gap', { text: data }); break;
    case 'stream.end': report('end', { text: data }); break;
    default: report('blank', { text: `${type} ${data}` });
  }
}

// stream is the address of the stream, on the page's own origin.
export function stream() {
  const query = `user=${client}`;
  switch (params.get('stream')) {
    case 'ws': return `ws://${location.host}/ws?${query}`;
    case 'lean': return `/events?lean=1&${query}`;
    default: return `/events?${query}`;
  }
}

export const name = params.get('client');
