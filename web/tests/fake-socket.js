/** A WebSocket whose other end is the test. */
export class FakeSocket extends EventTarget {
  static all = [];
  static get last() {
    return FakeSocket.all.at(-1);
  }

  sent = [];
  closed = undefined;

  constructor(url, protocols) {
    super();
    if (url.includes('#')) throw new SyntaxError('the address has a fragment');
    Object.assign(this, { url, protocols });
    FakeSocket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closed = code;
  }

  open() {
    this.dispatchEvent(new Event('open'));
  }

  receive(frame) {
    this.receiveData(JSON.stringify(frame));
  }

  receiveData(data) {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  fail(message) {
    this.dispatchEvent(Object.assign(new Event('error'), { message }));
  }

  end(code = 1006, reason = '') {
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason }));
  }
}
