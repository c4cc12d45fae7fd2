// What @upstash/redis does with the front that stands in for Upstash.
const assert = require('node:assert');
const { Redis } = require('@upstash/redis');
const redis = new Redis({ url: process.env.UPSTASH_URL, token: process.env.UPSTASH_TOKEN, enableTelemetry: false });
(async () => {
  assert.equal(await redis.set('a', 'ä€'), 'OK');
  assert.equal(await redis.get('a'), 'ä€');
  assert.equal(await redis.get('absent'), null);
  assert.equal(await redis.incr('n'), 1);
  await redis.hset('h', { x: 1, y: 'two' });
  assert.deepEqual(await redis.hgetall('h'), { x: 1, y: 'two' });
  assert.deepEqual(await redis.pipeline().incr('n').get('a').exec(), [2, 'ä€']);
  assert.deepEqual(await redis.multi().incr('n').lpush('l', 'v').exec(), [3, 1]);
  assert.equal(await redis.eval('return ARGV[1]', [], ['x']), 'x');
  await assert.rejects(redis.eval('return redis.call("HGET", KEYS[1], "f")', ['a'], []), /WRONGTYPE/);
  await assert.rejects(new Redis({ url: process.env.UPSTASH_URL, token: 'wrong', retry: false }).get('a'), /Unauthorized/);
  console.log('all as expected');
})().catch(e => { console.error(e); process.exit(1); });
