// What the npm package bullmq sees of our worker and producer. The Go test runs a
// worker of ours on the queue "go" whose jobs do as their data says, and this
// script plays the platform. Arguments by environment: REDIS_PORT.
const assert = require('node:assert');
const { Queue, QueueEvents, Worker, FlowProducer, Job } = require('bullmq');
const connection = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT), maxRetriesPerRequest: null };
const queue = new Queue('go', { connection });
const events = new QueueEvents('go', { connection });
const patience = 15000;
const done = job => job.waitUntilFinished(events, patience);
const until = async (what, f) => {
  const end = Date.now() + patience;
  for (;;) {
    const v = await f();
    if (v) return v;
    if (Date.now() > end) throw new Error('it did not come about: ' + what);
    await new Promise(r => setTimeout(r, 10));
  }
};
const rejects = async (p, message) => assert.rejects(p, e => { assert.match(e.message, message); return true; });

const cases = {
  async 'return value, progress, log, worker name'() {
    const seen = [];
    events.on('progress', e => seen.push(e.data));
    const job = await queue.add('echo', { do: 'echo', value: { ä: [1, null, 'x'] } });
    assert.deepEqual(await done(job), { ä: [1, null, 'x'] });
    const j = await Job.fromId(queue, job.id);
    assert.equal(await j.getState(), 'completed');
    assert.deepEqual(j.returnvalue, { ä: [1, null, 'x'] });
    assert.deepEqual(j.progress, { pct: 50 });
    assert.equal(j.attemptsMade, 1);
    assert.equal(j.processedBy, 'ours');
    assert.ok(j.processedOn >= j.timestamp && j.finishedOn >= j.processedOn);
    assert.deepEqual((await queue.getJobLogs(job.id)).logs, ['one', 'two']);
    await until('progress event', () => seen.some(d => d.pct === 50));
  },
  async 'failure: reason, stack, attempts, fixed backoff'() {
    const job = await queue.add('fail', { do: 'fail' }, { attempts: 3, backoff: { type: 'fixed', delay: 30 } });
    await rejects(done(job), /fault 3/);
    const j = await Job.fromId(queue, job.id);
    assert.equal(j.failedReason, 'fault 3');
    assert.equal(j.attemptsMade, 3);
    assert.equal(j.stacktrace.length, 3);
    assert.match(j.stacktrace[0], /fault 1/);
    await j.retry();
    assert.ok(['waiting', 'active', 'delayed', 'failed'].includes(await j.getState()));
    await until('it failed again', async () => (await Job.fromId(queue, job.id)).isFailed());
  },
  async 'exponential backoff with jitter'() {
    const job = await queue.add('fail', { do: 'fail' }, { attempts: 3, backoff: { type: 'exponential', delay: 40, jitter: 0.5 } });
    const start = Date.now();
    await rejects(done(job), /fault 3/);
    assert.ok(Date.now() - start >= 20 + 40, 'it waited');
  },
  async 'unrecoverable error'() {
    const job = await queue.add('bad', { do: 'permanent' }, { attempts: 5 });
    await rejects(done(job), /bad input/);
    assert.equal((await Job.fromId(queue, job.id)).attemptsMade, 1);
  },
  async 'priorities, delay, lifo'() {
    await queue.pause();
    assert.equal(await queue.isPaused(), true);
    const jobs = [];
    for (const [name, opts] of [['a', {}], ['b', { priority: 5 }], ['c', { priority: 1 }], ['d', { lifo: true }], ['e', { priority: 5 }]])
      jobs.push(await queue.add('order', { do: 'order', name }, opts));
    const late = await queue.add('order', { do: 'order', name: 'late' }, { delay: 200 });
    assert.equal(await late.getState(), 'delayed');
    assert.equal((await queue.getJobCounts('prioritized')).prioritized, 3);
    await queue.resume();
    const results = await Promise.all([...jobs, late].map(done));
    const order = results.map((n, i) => [n, 'abcdel'[i]]).sort((x, y) => x[0] - y[0]).map(x => x[1]).join('');
    assert.equal(order, 'dacbel');
  },
  async 'removeOnComplete and removeOnFail by count and age'() {
    const other = new Queue('keep', { connection });
    const qe = new QueueEvents('keep', { connection });
    let last;
    for (let i = 0; i < 6; i++) last = await other.add('echo', { do: 'echo' }, { removeOnComplete: { count: 2, age: 3600 } });
    await until('two are kept', async () => (await other.getCompletedCount()) === 2 && (await other.getWaitingCount()) + (await other.getActiveCount()) === 0);
    const gone = await other.add('echo', { do: 'echo' }, { removeOnComplete: true });
    await until('it is removed', async () => !(await Job.fromId(other, gone.id)));
    const bad = await other.add('bad', { do: 'permanent' }, { removeOnFail: true });
    await until('it is removed', async () => !(await Job.fromId(other, bad.id)));
    await qe.close();
    await other.close();
  },
  async 'deduplication'() {
    await queue.pause();
    const a = await queue.add('echo', { do: 'echo' }, { deduplication: { id: 'd1' } });
    const b = await queue.add('echo', { do: 'echo' }, { deduplication: { id: 'd1' } });
    assert.equal(a.id, b.id);
    await queue.resume();
    await done(a);
    const c = await queue.add('echo', { do: 'echo' }, { deduplication: { id: 'd1' } });
    assert.notEqual(c.id, a.id);
    await done(c);
  },
  async 'flow: parent waits for children and reads their values'() {
    const flow = new FlowProducer({ connection });
    const tree = await flow.add({
      name: 'parent', queueName: 'go', data: { do: 'children' },
      children: [1, 2, 3].map(n => ({ name: 'child', queueName: 'go', data: { do: 'echo', value: n } })),
    });
    assert.equal(await done(tree.job), 6);
    const failing = await flow.add({
      name: 'parent', queueName: 'go', data: { do: 'children' },
      children: [{ name: 'child', queueName: 'go', data: { do: 'permanent' }, opts: { failParentOnFailure: true } }],
    });
    await rejects(done(failing.job), /child|failed/);
    const ignoring = await flow.add({
      name: 'parent', queueName: 'go', data: { do: 'children' },
      children: [
        { name: 'child', queueName: 'go', data: { do: 'permanent' }, opts: { ignoreDependencyOnFailure: true } },
        { name: 'child', queueName: 'go', data: { do: 'echo', value: 4 } },
      ],
    });
    assert.equal(await done(ignoring.job), 4);
    await flow.close();
  },
  async 'job scheduler'() {
    const other = new Queue('keep', { connection });
    await other.upsertJobScheduler('s1', { every: 120, limit: 4 }, { name: 'echo', data: { do: 'echo', value: 's' }, opts: {} });
    await until('it made three', async () => (await other.getCompleted()).filter(j => j.repeatJobKey === 's1').length >= 2);
    const s = await other.getJobScheduler('s1');
    assert.equal(s.every, 120);
    assert.ok(s.iterationCount >= 2);
    await other.removeJobScheduler('s1');
    await other.close();
  },
  async 'a worker is seen, counts and getters'() {
    const workers = await until('it is listed', async () => { const w = await queue.getWorkers(); return w.length && w; });
    assert.ok(workers.some(w => (w.rawname || w.name).endsWith(':w:ours')), JSON.stringify(workers));
    const counts = await queue.getJobCounts();
    assert.ok(counts.completed > 0 && counts.failed > 0);
    assert.ok((await queue.getMetrics('completed')).meta.count > 0);
  },
  async 'Bull Board'() {
    const { BullMQAdapter } = require('@bull-board/api/bullMQAdapter');
    const board = new BullMQAdapter(queue);
    const counts = await board.getJobCounts();
    assert.ok(counts.completed > 0);
    const [job] = await board.getJobs(['completed'], 0, 0);
    assert.equal(await job.getState(), 'completed');
    assert.ok(job.toJSON().returnvalue !== undefined);
  },
  async 'global concurrency'() {
    const other = new Queue('keep', { connection });
    await other.setGlobalConcurrency(1);
    const jobs = [];
    for (let i = 0; i < 5; i++) jobs.push(await other.add('peak', { do: 'peak' }));
    const qe = new QueueEvents('keep', { connection });
    const peaks = await Promise.all(jobs.map(j => j.waitUntilFinished(qe, patience)));
    assert.equal(Math.max(...peaks), 1);
    await other.removeGlobalConcurrency();
    await qe.close();
    await other.close();
  },
  async 'a Node worker and ours share a queue'() {
    const other = new Queue('shared', { connection });
    const node = new Worker('shared', async () => 'node', { connection, concurrency: 2 });
    const jobs = await other.addBulk(Array.from({ length: 200 }, () => ({ name: 'who', data: { do: 'who' } })));
    await until('all are completed', async () => (await other.getCompletedCount()) === 200);
    const who = {};
    for (const j of await other.getCompleted(0, 300)) who[j.returnvalue] = (who[j.returnvalue] || 0) + 1;
    assert.equal((who.node || 0) + (who.go || 0), 200);
    await node.close();
    await other.close();
    assert.ok(jobs.length === 200);
  },
  async 'a job that a Node worker left behind comes to ours, and the other way round'() {
    const other = new Queue('left', { connection });
    const job = await other.add('left', { do: 'who' });
    const node = new Worker('left', () => new Promise(() => {}), { connection, lockDuration: 500, skipLockRenewal: true, skipStalledCheck: true });
    await until('it is active', () => job.isActive());
    await node.close(true);
    console.log(JSON.stringify({ event: 'left' }));
    const qe = new QueueEvents('left', { connection });
    assert.equal(await job.waitUntilFinished(qe, patience), 'go');
    await qe.close();
    await other.close();
  },
  async 'jobs that ours adds come to a Node worker'() {
    const got = [];
    const node = new Worker('fromgo', async job => { got.push([job.name, job.data, job.opts]); return job.data.n; }, { connection });
    await until('they came', () => got.length === 4);
    const by = n => got.find(g => g[1].n === n);
    assert.equal(by(1)[2].attempts, 4);
    assert.deepEqual(by(1)[2].backoff, { type: 'exponential', delay: 1000, jitter: 0.5 });
    assert.equal(by(2)[2].priority, 3);
    assert.equal(by(3)[2].delay, 100);
    assert.equal(by(4)[2].telemetry.metadata, 'trace-1');
    await node.close();
  },
  async 'telemetry metadata reaches our handler'() {
    const job = await queue.add('trace', { do: 'trace' }, { telemetry: { metadata: '{"traceparent":"00-1"}' } });
    assert.equal(await done(job), '{"traceparent":"00-1"}');
  },
  async 'rate limit'() {
    const other = new Queue('limited', { connection });
    const qe = new QueueEvents('limited', { connection });
    const jobs = [];
    for (let i = 0; i < 6; i++) jobs.push(await other.add('now', { do: 'now' }));
    const times = await Promise.all(jobs.map(j => j.waitUntilFinished(qe, patience)));
    assert.ok(Math.max(...times) - Math.min(...times) >= 700, String(times));
    await qe.close();
    await other.close();
  },
  async 'events stream is trimmed'() {
    const { Redis } = require('ioredis');
    const redis = new Redis(connection);
    const other = new Queue('keep', { connection, streams: { events: { maxLen: 100 } } });
    await other.waitUntilReady();
    await other.addBulk(Array.from({ length: 400 }, () => ({ name: 'echo', data: { do: 'echo' } })));
    await until('all are done', async () => (await other.getActiveCount()) + (await other.getWaitingCount()) === 0);
    await until('it is trimmed', async () => {
      await other.add('echo', { do: 'echo' });
      return (await redis.xlen('bull:keep:events')) < 1000;
    });
    await other.close();
    await redis.quit();
  },
};

(async () => {
  await events.waitUntilReady();
  // Being ready is not listening yet: what happens before the first read is missed.
  let heard = false;
  events.once('completed', () => { heard = true; });
  await until('events are heard', async () => { await queue.add('echo', { do: 'echo' }); return heard; });
  let bad = 0;
  for (const [name, run] of Object.entries(cases)) {
    try {
      await run();
      console.log(JSON.stringify({ case: name, ok: true }));
    } catch (e) {
      bad++;
      console.log(JSON.stringify({ case: name, ok: false, error: e.stack }));
      await queue.resume().catch(() => {});
    }
  }
  await events.close();
  await queue.close();
  process.exit(bad ? 1 : 0);
})();
