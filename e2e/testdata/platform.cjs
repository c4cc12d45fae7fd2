// The platform: adds jobs as its Next.js route does, and waits for their ends.
const { Queue, QueueEvents } = require('bullmq');
const { hostname: host, port } = new URL(process.env.REDIS_URL);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
(async () => {
  const queue = new Queue('model-processing', { connection, prefix: 'bull' });
  const events = new QueueEvents('model-processing', { connection });
  await events.waitUntilReady();
  const states = [];
  events.on('progress', e => states.push(String(e.data)));
  const add = (id, options) => queue.add('process-model',
    { jobId: id, sourceUrl: process.env.SOURCE, sourceFormat: 'laz', options },
    { jobId: id, priority: 10, attempts: 3, backoff: { type: 'exponential', delay: 200 } });
  const good = await add(process.env.GOOD, { formats: ['laz', 'copc', 'ept', '3dtiles', 'thumbnail'] });
  const bad = await add(process.env.BAD, { quality: 'high' });
  const value = await good.waitUntilFinished(events, 60000);
  let reason = '';
  await bad.waitUntilFinished(events, 60000).catch(e => { reason = e.message; });
  console.log(JSON.stringify({ good: value, bad: reason, states }));
  await events.close();
  await queue.close();
  process.exit(0);
})().catch(e => { console.error(e); process.exit(1); });
