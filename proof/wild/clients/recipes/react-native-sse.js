import EventSource from 'react-native-sse';

export function follow(url, types, handle) {
  const source = new EventSource(url);
  for (const type of types) source.addEventListener(type, (e) => handle(type, e.data));
  source.addEventListener('error', (e) => { // it does not try a lost connection again
    if (e.xhrStatus === 0) setTimeout(() => source.open(), 3000);
  });
}
