// Notes every frame that the browser hands to the page, in window.heard, as
// { via, event, id, data }: the page itself drops what it has already, so from
// what it shows nobody could tell whether something came twice.
(() => {
  const heard = window.heard = [];
  // Of a stream that is fetched, what its reader is given counts.
  const listen = (reader) => {
    const read = reader.read.bind(reader);
    const decoder = new TextDecoder();
    let text = '';
    reader.read = async () => {
      const result = await read();
      text += decoder.decode(result.value, { stream: true });
      const frames = text.split('\n\n');
      text = frames.pop();
      for (const frame of frames) {
        const field = (name) => frame.match(new RegExp(`^${name}: (.*)$`, 'm'))?.[1];
        const event = field('event');
        if (event) heard.push({ via: 'sse', event, id: field('id'), data: JSON.parse(field('data')) });
      }
      return result;
    };
    return reader;
  };
  const { fetch } = window;
  window.fetch = async (...args) => {
    const answer = await fetch(...args);
    if (answer.body && answer.headers.get('Content-Type')?.startsWith('text/event-stream')) {
      const { body } = answer;
      const getReader = body.getReader.bind(body);
      body.getReader = (...how) => listen(getReader(...how));
    }
    return answer;
  };
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      super.addEventListener('message', (e) => heard.push({ via: 'ws', ...JSON.parse(e.data) }));
    }
  };
})();
