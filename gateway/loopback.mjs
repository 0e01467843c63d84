// Preloaded with `node --import`: a TCP server that names no host listens on 127.0.0.1.
// The Portkey gateway has no host option and no authentication of its own; listening on every
// interface, it would relay anybody's requests anywhere.
import { Server } from 'node:net';

const LOOPBACK = '127.0.0.1';
const listen = Server.prototype.listen;

const isPort = (value) =>
  typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value));

Server.prototype.listen = function (first, ...rest) {
  if (first !== null && typeof first === 'object' && isPort(first.port) && !first.host) {
    return listen.call(this, { ...first, host: LOOPBACK }, ...rest);
  }
  if (isPort(first) && typeof rest[0] !== 'string') {
    // listen(port, undefined, ...) leaves the host's place empty; listen(port, callback) has none.
    const others = rest[0] === undefined || rest[0] === null ? rest.slice(1) : rest;
    return listen.call(this, Number(first), LOOPBACK, ...others);
  }
  if (first === undefined || typeof first === 'function') {
    return listen.call(this, 0, LOOPBACK, ...(first ? [first] : []), ...rest);
  }
  return listen.call(this, first, ...rest);
};
