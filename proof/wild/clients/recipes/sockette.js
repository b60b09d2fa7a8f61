import Sockette from 'sockette';

export function follow(address, handle) {
  let last = '';
  const url = { toString: () => address(last) }; // it takes no function
  Sockette(url, {
    onmessage: (e) => {
      const m = JSON.parse(e.data);
      if (m.id) last = m.id;
      handle(m.event, JSON.stringify(m.data));
    },
  });
}
