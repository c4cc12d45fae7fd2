// The Node worker of the npm package bullmq, for bench/queue/main.go: takes no-op
// jobs from a queue, and prints what it needed. Arguments: mode, Redis port, queue,
// concurrency, number of jobs.
const { Worker } = require('bullmq');
const [mode, port, queue, concurrency, total] = process.argv.slice(2);
const connection = { port: Number(port), maxRetriesPerRequest: null };
let left = Number(total);
const spin = mode === 'busy';
const latencies = [];
const worker = new Worker(queue, async job => {
  if (job.data.atMicros) latencies.push(performance.timeOrigin + performance.now() - job.data.atMicros / 1000);
  if (spin && job.data.spin) { const end = Date.now() + job.data.spin; while (Date.now() < end); } // the work of the job
  return null;
}, { connection, concurrency: Number(concurrency), autorun: false });
worker.waitUntilReady().then(() => {
  const start = process.hrtime.bigint();
  const before = process.cpuUsage();
  console.log(JSON.stringify({ ready: true, rss: process.memoryUsage().rss }));
  worker.on('completed', () => {
    if (--left) return;
    const cpu = process.cpuUsage(before);
    console.log(JSON.stringify({
      seconds: Number(process.hrtime.bigint() - start) / 1e9, cpu: (cpu.user + cpu.system) / 1e6,
      rss: process.memoryUsage().rss, latencies,
    }));
    worker.close().then(() => process.exit(0));
  });
  worker.run();
});
