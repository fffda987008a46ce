/** A function of the functions framework that does nothing, on the server that the product's functions take, too. */
import { http } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';

process.env['NODE_ENV'] = 'production';
http('empty', (_request, response) => void response.status(200).json({}));
getTestServer('empty').listen(Number(process.env['PORT']), '127.0.0.1');
