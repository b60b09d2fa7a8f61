// A Line is a network between a client and the chat that breaks on demand, also
// in the middle of a frame.

import { EventEmitter } from 'node:events';
import net from 'node:net';

export class Line extends EventEmitter {
  #server;
  #open = new Set();
  #left = Infinity; // bytes that still get through to the client
  cuts = 0;

  // Emits 'cut' when it has broken.
  static async to(url) {
    const { hostname, port } = new URL(url);
    const line = new Line();
    line.#server = net.createServer((near) => line.#carry(near, net.connect(Number(port), hostname)));
    await new Promise((listening, failed) => {
      line.#server.once('error', failed).listen(0, '127.0.0.1', listening);
    });
    return line;
  }

  get url() { return `http://127.0.0.1:${this.#server.address().port}`; }

  // cutAfter breaks every connection once so many more bytes have passed. The
  // next ones hold, until it is called again.
  cutAfter(bytes) {
    this.#left = bytes;
    if (bytes === 0) this.#cut();
  }

  close() {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #carry(near, far) {
    for (const [socket, other] of [[near, far], [far, near]]) {
      this.#open.add(socket);
      socket.on('error', () => {}); // close follows
      socket.on('close', () => { this.#open.delete(socket); other.destroy(); });
    }
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => {
      if (data.length < this.#left) {
        this.#left -= data.length;
        near.write(data);
        return;
      }
      // The rest gets through, and then there is silence and a reset.
      near.write(data.subarray(0, this.#left), () => this.#cut());
      far.removeAllListeners('data').on('data', () => {});
      this.#left = Infinity;
    });
  }

  #cut() {
    this.#left = Infinity;
    this.cuts++;
    for (const socket of this.#open) socket.resetAndDestroy();
    this.emit('cut');
  }
}
