/** A server of Node's own that reads what is sent and does nothing. */
import { createServer } from 'node:http';

createServer((request, response) => {
  request.resume().once('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 2 }).end('{}');
  });
}).listen(Number(process.env['PORT']), '127.0.0.1');
