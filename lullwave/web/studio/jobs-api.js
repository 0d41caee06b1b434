/** Calls the server's routes for jobs and for downloads of models, with the admin token, if there is one. */

import { jsonOf, jsonParsed } from './repeat-lines.js';

const PULL = 'api/models/pull'; // only the owner is told of downloads

/** @param {ReturnType<import('../shared/api.js').Api>} api @param {() => string} token */
export function JobsApi(api, token) {
  async function call(path, method = 'GET', body = undefined, kind = 'application/json') {
    const headers = { accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = kind;
    if ((method !== 'GET' || path === PULL) && token()) headers.authorization = `Bearer ${token()}`;
    const reply = await api.reach(path, { method, headers, body });
    const text = await reply.text();
    return text ? jsonParsed(text) : null;
  }
  const of = (id) => `api/jobs/${encodeURIComponent(id)}`;

  return {
    list: () => call('api/jobs'),
    tasks: () => call('api/jobs/tasks'),
    /** @param {string} task @param {object} fields */
    create: (task, fields) => call('api/jobs', 'POST', jsonOf({ task, fields })),
    one: (id) => call(of(id)),
    cancel: (id) => call(`${of(id)}/cancel`, 'POST'),
    retry: (id) => call(`${of(id)}/retry`, 'POST'),
    pin: (id, pinned) => call(`${of(id)}/pin`, 'POST', jsonOf({ pinned })),
    remove: (id) => call(of(id), 'DELETE'),
    /** @param {string} name @param {Blob} data */
    upload: (name, data) => call(`api/jobs/files?name=${encodeURIComponent(name)}`, 'POST', data, data.type || 'application/octet-stream'),
    /** The download of a model that runs, or the last one. */
    lastPull: async () => (await call(PULL)).pull,
    /** @param {string} name on the hub */
    pull: async (name) => (await call(PULL, 'POST', jsonOf({ name }))).pull,
    cancelPull: () => call(`${PULL}/cancel`, 'POST'),
    /** Where a file is. @param {string} value `JOB/NAME` */
    fileUrl: (value) => {
      const [id, name] = value.split('/');
      return api.address(`${of(id)}/files/${encodeURIComponent(name)}`);
    },
  };
}
