// Notes every frame that the browser hands to the page, in window.heard, as
// { via, event, id, data }: the page itself drops what it has already, so from
// what it shows nobody could tell whether something came twice.
(() => {
  const heard = window.heard = [];
  const TYPES = [
    'chat.message.posted', 'chat.message.direct', 'presence.user.joined', 'presence.user.left', 'typing.user.started',
    'stream.cursor', 'stream.gap', 'stream.filter', 'stream.error', 'stream.end',
  ];
  window.EventSource = class extends EventSource {
    constructor(...args) {
      super(...args);
      for (const event of TYPES) {
        super.addEventListener(event, (e) => heard.push({ via: 'sse', event, id: e.lastEventId, data: JSON.parse(e.data) }));
      }
    }
  };
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      super.addEventListener('message', (e) => heard.push({ via: 'ws', ...JSON.parse(e.data) }));
    }
  };
})();
