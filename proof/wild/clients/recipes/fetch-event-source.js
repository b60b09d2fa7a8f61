import { fetchEventSource } from '@microsoft/fetch-event-source';

export function follow(url, handle) {
  return fetchEventSource(url, {
    openWhenHidden: true, // else it closes the stream of a hidden tab
    onopen: async (response) => {
      if (response.status === 401 || response.status === 204) throw new SignedOut();
      if (!response.ok) throw new Error(`status ${response.status}`); // and tries again
    },
    onmessage: (m) => handle(m.event, m.data),
    onclose: () => { throw new Error('closed'); }, // a clean end is not the end
    onerror: (error) => { if (error instanceof SignedOut) throw error; },
  });
}

class SignedOut extends Error {}
