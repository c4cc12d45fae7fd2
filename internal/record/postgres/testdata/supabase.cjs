// What supabase-js does with the front that stands in for PostgREST.
const assert = require('node:assert');
const { createClient } = require('@supabase/supabase-js');
const db = createClient(process.env.SUPABASE_URL, process.env.SUPABASE_KEY, {
  auth: { persistSession: false }, realtime: { transport: class {} }, // Node 20 has no WebSocket, and nothing here needs one
});
const table = () => db.from('model_processing_jobs');
const id = n => `00000000-0000-4000-8000-00000000000${n}`;
const ok = ({ data, error }) => { assert.equal(error, null); return data; };
(async () => {
  const rows = ok(await table().insert([{ id: id(1), status: 'queued' }, { id: id(2), status: 'failed', progress: 7 }]).select());
  assert.equal(rows.length, 2);
  assert.equal(ok(await table().select('id,status').eq('id', id(1)).single()).status, 'queued');
  assert.equal((await table().select().eq('id', id(9)).single()).error.code, 'PGRST116');
  assert.deepEqual(ok(await table().select('id').in('status', ['failed', 'completed'])), [{ id: id(2) }]);
  assert.deepEqual(ok(await table().select('id').is('worker_id', null).order('id', { ascending: false }).limit(1)), [{ id: id(2) }]);
  ok(await table().update({ status: 'processing', options: { a: [1, 'ä'] } }).eq('id', id(1)).not('status', 'in', '(completed,failed)'));
  const one = ok(await table().select().eq('id', id(1)).maybeSingle());
  assert.equal(one.status, 'processing');
  assert.deepEqual(one.options, { a: [1, 'ä'] });
  assert.equal((await table().insert({ id: id(1) })).error.code, '23505');
  assert.equal((await table().update({ status: 'nonsense' }).eq('id', id(1))).error.code, '23514');
  ok(await table().delete().eq('id', id(2)));
  assert.equal(ok(await table().select()).length, 1);
  assert.equal((await db.from('absent').select()).error.code, '42P01');
  console.log('all as expected');
  process.exit(0);
})().catch(e => { console.error(e); process.exit(1); });
