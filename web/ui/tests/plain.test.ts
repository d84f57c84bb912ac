import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Clock, held, rings, since, until } from '../src/lib/clock.ts'
import { csv } from '../src/lib/csv.ts'
import { clock, date, dial, duration, exactly, hour, seconds, when, zoneOf } from '../src/lib/format.ts'
import { part, Silence } from '../src/lib/level.ts'
import { live, patched } from '../src/lib/live.ts'
import { by, kept } from '../src/lib/order.ts'
import { filter, initials, match } from '../src/lib/pinyin.ts'
import { Api, Refusal, refusalOf } from '../src/lib/api.ts'
import { Drafts, merge } from '../src/lib/drafts.ts'
import { Tries, trying } from '../src/lib/tries.ts'

test('the clock is the service\'s, and a late message does not set it back', () => {
  let local = 1_000_000
  const c = new Clock(() => local)
  c.hear(new Date(5_000_000).toISOString())
  assert.equal(c.now(), 5_000_000)
  local += 10_000
  c.hear(new Date(5_010_000 - 400).toISOString())
  assert.ok(5_010_000 - c.now() < 20, `${5_010_000 - c.now()} ms back after a message that came 400 ms late`)
  local += 1000
  c.hear(new Date(9_000_000).toISOString())
  assert.equal(c.now(), 9_000_000, 'a clock that was set is followed at once')
  c.hear('nonsense')
  assert.equal(c.now(), 9_000_000)
})

test('since and until', () => {
  const at = '2026-03-10T09:30:00+08:00'
  const now = Date.parse(at) + 5000
  assert.equal(since(at, now), 5000)
  assert.equal(since(at, now - 9000), 0)
  assert.equal(until(at, now), -5000)
  assert.equal(since('', now), 0)
})

test('three rings fill one after the other', () => {
  assert.deepEqual(rings(15_000), [0, 0, 0])
  assert.deepEqual(rings(12_500), [0.5, 0, 0])
  assert.deepEqual(rings(5000), [1, 1, 0])
  assert.deepEqual(rings(-3000), [1, 1, 1])
})

test('a hold warns at 25 seconds and starts anew with each apology', () => {
  const next = '2026-03-10T09:30:30+08:00'
  const at = Date.parse(next)
  assert.equal(held(next, at - 30_000).part, 0)
  assert.equal(held(next, at - 5001).warning, 'calm')
  assert.equal(held(next, at - 5000).warning, 'soon')
  assert.equal(held(next, at).warning, 'due')
})

test('durations are read and written as the rules have them', () => {
  for (const [text, s] of [['1m30s', 90], ['0s', 0], ['0', 0], ['500ms', 0.5], ['24h', 86400], ['1h0m5s', 3605]] as const) assert.equal(seconds(text), s, text)
  for (const wrong of ['', '5', '1x', 'm5', '-3s']) assert.ok(Number.isNaN(seconds(wrong)), wrong)
  for (const [s, text] of [[90, '1m30s'], [0, '0s'], [60, '1m'], [86400, '24h']] as const) assert.equal(duration(s), text)
  assert.equal(clock(65_000), '1:05')
  assert.equal(clock(3_725_900), '1:02:05')
  assert.equal(clock(-5), '0:00')
})

test('a moment is the hour today and the day otherwise', () => {
  const zh = { language: 'zh-CN', zone: 'Asia/Shanghai' }
  const now = Date.parse('2026-03-10T15:00:00+08:00')
  assert.equal(when('2026-03-10T01:05:00Z', now, zh), '09:05')
  assert.equal(when('2026-03-09T16:05:00Z', now, zh), '00:05', 'today, and yesterday in UTC')
  assert.equal(when('2026-02-03T01:05:00Z', now, zh), '02/03')
  assert.equal(when('2025-02-03T00:00:00Z', now, zh), '2025/02/03')
  assert.equal(when('2025-12-31T17:00:00Z', now, zh), '01/01', 'this year, and the last in UTC')
  assert.equal(when('never', now, { language: 'en', zone: 'UTC' }), '')
})

test('moments are shown in the zone of the service, whatever the computer has', () => {
  const at = '2026-11-22T16:30:05Z'
  assert.deepEqual([date(at, 'Asia/Shanghai'), hour(at, 'Asia/Shanghai'), dial(at, 'Asia/Shanghai')], ['2026-11-23', 0, '00:30'])
  assert.deepEqual([date(at, 'Europe/Berlin'), hour(at, 'Europe/Berlin'), dial(at, 'Europe/Berlin')], ['2026-11-22', 17, '17:30'])
  assert.match(exactly(at, { language: 'zh-CN', zone: 'Asia/Shanghai' }), /2026年11月23日 0?0:30:05/)
  assert.equal(zoneOf('Asia/Shanghai'), 'Asia/Shanghai')
  assert.deepEqual([zoneOf('Moon/Crater'), zoneOf(undefined), zoneOf('')], ['UTC', 'UTC', 'UTC'])
})

test('nothing but format.ts makes words of a moment', () => {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((f) => /\.(ts|svelte)$/.test(f) && f !== 'lib/format.ts')
  assert.ok(sources.length > 40, `${sources.length} sources; the tests run in web/ui`)
  for (const f of sources) assert.doesNotMatch(readFileSync(`src/${f}`, 'utf8'), /DateTimeFormat|toLocale|\.get(UTC)?(FullYear|Month|Date|Day|Hours|Minutes)\(|toISOString|toDateString/, f)
})

test('initials of pinyin', () => {
  for (const [text, want] of [
    ['账单问题', 'zdwt'], ['网络报修', 'wlbx'], ['投诉', 'ts'], ['人工服务', 'rgfw'], ['已解决', 'yjj'], ['需要回访', 'xyhf'],
    ['北京', 'bj'], ['重庆', 'cq'], ['客服790', 'kf790'], ['二线', 'ex'], ['欧洲', 'oz'], ['VIP 专席', 'vipzx'],
  ] as const) assert.equal(initials(text), want, `${text}; the collation of this Node may lack Chinese (small-icu)`)
})

test('a list is filtered by text, initials and numbers, the best first', () => {
  const names = ['投诉处理', '人工服务', '网络报修', 'Repairs north']
  const f = (typed: string) => filter(typed, names, (n) => [n])
  assert.deepEqual(f('wlbx'), ['网络报修'])
  assert.deepEqual(f('rn'), ['Repairs north'])
  assert.deepEqual(f('服'), ['人工服务'])
  assert.deepEqual(f(''), names)
  assert.deepEqual(f('xyz'), [])
  assert.ok(match('ts', '投诉') < match('s', '投诉'))
})

test('rows do not move under the cursor', () => {
  assert.deepEqual(kept(['a', 'b'], ['b', 'c', 'a']), ['a', 'b', 'c'])
  assert.deepEqual(kept(['a', 'b'], ['b']), ['a', 'b'], 'the place of one who left stays')
  const rows = [{ id: 'x', late: 0, waiting: 5 }, { id: 'y', late: 2, waiting: 0 }, { id: 'a', late: 0, waiting: 5 }]
  assert.deepEqual(by(rows, (r) => r.id, (r) => r.late, (r) => r.waiting), ['y', 'a', 'x'])
})

test('a patch changes its rows and leaves the others the same objects', () => {
  const view = { agents: [{ id: '1', state: 'ready' }, { id: '2', state: 'ready' }], callers: [{ call: 'c' }], now: 'a' }
  const next = patched(view, { agents: { put: [{ id: '2', state: 'talking' }, { id: '3', state: 'ready' }], gone: [] }, callers: { put: [], gone: ['c'] }, now: 'b' })
  assert.equal(next.agents[0], view.agents[0])
  assert.deepEqual(next, { agents: [{ id: '1', state: 'ready' }, { id: '2', state: 'talking' }, { id: '3', state: 'ready' }], callers: [], now: 'b' })
})

test('a table for Excel has its mark, its quotes, and no formulas', () => {
  assert.equal(csv(['队列', 'n'], [['人工"A"', 3], ['=1+1', -2]]), '\ufeff队列,n\r\n"人工""A""",3\r\n\'=1+1,-2\r\n')
})

test('levels and silence', () => {
  assert.equal(part(new Float32Array(64)), 0)
  assert.equal(part(new Float32Array(64).fill(1)), 1)
  const s = new Silence()
  const quiet = new Float32Array(64)
  const room = new Float32Array(64).fill(0.0005)
  assert.equal(s.hear(quiet, 0), false)
  assert.equal(s.hear(quiet, 3999), false)
  assert.equal(s.hear(quiet, 4000), true)
  assert.equal(s.hear(room, 4100), false)
  assert.equal(s.hear(quiet, 4200), false, 'a sound begins it anew')
})

test('problem details become a refusal', () => {
  const r = refusalOf(412, { type: 'urn:hotline:stale', title: 'x', status: 412, detail: 'changed', field: 'max_wait' })
  assert.deepEqual([r.code, r.status, r.detail, r.field], ['stale', 412, 'changed', 'max_wait'])
  assert.equal(refusalOf(502, null).code, 'http-502')
})

class Store {
  #m = new Map<string, string>()
  get length() { return this.#m.size }
  key(i: number) { return [...this.#m.keys()][i] ?? null }
  getItem(k: string) { return this.#m.get(k) ?? null }
  setItem(k: string, v: string) { this.#m.set(k, v) }
  removeItem(k: string) { this.#m.delete(k) }
}
const notes = (text: string) => ({ topic: '', text, fields: {} })

const nobodyElse = { account: 'li', get: async () => ({ notes: notes(''), etag: '"0"' }), merged() {} }

test('notes are kept until the service has them', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const store = new Store()
  const states: string[] = []
  let up = false
  const got: string[] = []
  const drafts = new Drafts({
    ...nobodyElse, store, pause: 100,
    saved: (_, s) => states.push(s),
    put: async (_, n) => { if (!up) throw new Error('away'); got.push(n.text); return '"1"' },
  })
  drafts.write('c1', notes('用户'))
  t.mock.timers.tick(100)
  await new Promise((r) => setImmediate(r))
  assert.deepEqual(states, ['saving', 'here'])
  assert.equal(drafts.draft('c1')?.text, '用户')
  up = true
  await drafts.flush()
  assert.deepEqual(got, ['用户'])
  assert.equal(drafts.draft('c1'), null)
  assert.equal(states.at(-1), 'saved')
})

test('what is typed while notes are on their way is not dropped', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const store = new Store()
  let release = () => {}
  const drafts = new Drafts({ ...nobodyElse, store, saved() {}, put: () => new Promise<string>((r) => { release = () => r('"1"') }) })
  drafts.write('c1', notes('a'))
  const sent = drafts.flush()
  drafts.write('c1', notes('ab'))
  release()
  await sent
  assert.equal(drafts.draft('c1')?.text, 'ab')
})

test('what somebody else wrote stays, and what was typed here is added to it', async () => {
  const store = new Store()
  const put: [string, string][] = []
  const merged: string[] = []
  const drafts = new Drafts({
    store, account: 'li', saved() {},
    get: async () => ({ notes: notes('of the taker'), etag: '"theirs"' }),
    put: async (_, n, etag) => {
      if (etag !== '"theirs"') throw new Refusal('stale', 412)
      put.push([n.text, etag])
      return '"both"'
    },
    merged: (_, n) => merged.push(n.text),
  })
  drafts.write('c1', notes('of the giver'))
  await drafts.flush()
  const both = 'of the taker\nof the giver'
  assert.deepEqual(put, [[both, '"theirs"']])
  assert.deepEqual(merged, [both])
  assert.equal(drafts.draft('c1'), null)
})

test('what is typed before the notes are read is added to them, whenever they come', async () => {
  const store = new Store()
  let answer: ((k: { notes: ReturnType<typeof notes>; etag: string }) => void) | null = null
  const put: [string, string][] = []
  const merged: string[] = []
  const drafts = new Drafts({
    store, account: 'li', saved() {},
    get: () => new Promise((r) => { answer = r }),
    put: async (_, n, etag) => { put.push([n.text, etag]); return '"2"' },
    merged: (_, n) => merged.push(n.text),
  })
  const read = drafts.read('c1')
  drafts.write('c1', notes('now'))
  answer!({ notes: notes('before'), etag: '"1"' })
  assert.equal((await read).text, 'before\nnow')
  assert.deepEqual(merged, ['before\nnow'])
  await drafts.flush()
  assert.deepEqual(put, [['before\nnow', '"1"']])
})

test('notes that come late do not stand for what has been written since', async () => {
  const store = new Store()
  let answer: ((k: { notes: ReturnType<typeof notes>; etag: string }) => void) | null = null
  const etags: string[] = []
  const drafts = new Drafts({
    ...nobodyElse, store, saved() {},
    get: () => new Promise((r) => { answer = r }),
    put: async (_, __, etag) => { etags.push(etag); return '"2"' },
  })
  const read = drafts.read('c1')
  drafts.write('c1', notes('first'))
  await drafts.flush()
  answer!({ notes: notes(''), etag: '"0"' })
  await read
  drafts.write('c1', notes('first, second'))
  await drafts.flush()
  assert.deepEqual(etags, ['', '"2"'])
})

test('what fails is tried again after ever longer pauses, until it is refused for good or given up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const passes = async (ms: number) => { t.mock.timers.tick(ms); await new Promise((r) => setImmediate(r)) }
  let asked = 0, error: unknown = new Refusal('no-network')
  const give = trying(async () => { asked++; if (error) throw error })
  await passes(0)
  await passes(999)
  assert.equal(asked, 1)
  await passes(1)
  await passes(1999)
  assert.equal(asked, 2)
  give()
  await passes(60_000)
  assert.equal(asked, 2, 'it was given up')
  error = new Refusal('no-call', 404)
  trying(async () => { asked++; throw error })
  await passes(0)
  await passes(60_000)
  assert.equal(asked, 3, 'it was refused for good')
})

test('an answer that comes late shows nothing older, and nothing waits for good to be sent', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const states: string[] = []
  const answers: (() => void)[] = []
  const sent: (() => void)[] = []
  const store = new Store()
  const drafts = new Drafts({
    store, account: 'li', pause: 100, merged() {}, saved: (_, s) => states.push(s),
    get: () => new Promise((r) => { answers.push(() => r({ notes: notes(''), etag: '"0"' })) }),
    put: () => new Promise((r) => { sent.push(() => r('"1"')) }),
  })
  const passes = async (ms = 0) => {
    t.mock.timers.tick(ms)
    await new Promise((r) => setImmediate(r))
  }
  const late = drafts.read('c1')
  drafts.write('c1', notes('typed'))
  await passes(100)
  sent.pop()!()
  await passes()
  answers.pop()!()
  assert.equal((await late).text, 'typed')
  void drafts.read('c2')
  drafts.write('c2', notes('typed'))
  await passes(100)
  answers.pop()!()
  await passes()
  for (let i = 0; i < 3; i++) {
    sent.pop()?.()
    await passes(100)
  }
  assert.deepEqual([states.at(-1), store.length], ['saved', 0])
})

test('an answer that is cut off is none', async () => {
  const cut = new ReadableStream({ pull(to) { to.error(new Error('timeout')) } })
  const api = new Api(async () => new Response(cut))
  await assert.rejects(api.get('/desk'), (e: Refusal) => e.code === 'no-network')
})

test('texts are merged without saying anything twice', () => {
  const text = (before: string, theirs: string, mine: string) => merge(before, notes(theirs), notes(mine)).text
  assert.equal(text('a', 'a', 'a b'), 'a b')
  assert.equal(text('a', 'a c', 'a b'), 'a c\nb')
  assert.equal(text('', 'a c', 'a c d'), 'a c d')
  assert.equal(text('a', 'a b c', 'a b'), 'a b c')
  const bill = { topic: 'bill', text: '', fields: { no: '1' } }
  assert.deepEqual(merge('', bill, { topic: 'bill', text: '', fields: { month: '2' } }).fields, { no: '1', month: '2' })
  assert.deepEqual(merge('', bill, { topic: 'fault', text: '', fields: {} }), { topic: 'fault', text: '', fields: {} })
})

test('nobody finds, or sends, what another has typed, and nothing stays of who has signed out or lost the call', async () => {
  const store = new Store()
  const sent: string[] = []
  const states: string[] = []
  let refuse = 0
  const of = (account: string) => new Drafts({
    ...nobodyElse, store, account, saved: (_, s) => states.push(s),
    put: async (call) => { if (refuse) throw new Refusal('x', refuse); sent.push(`${account} ${call}`); return '"1"' },
  })
  const li = of('li'), wang = of('wang')
  li.write('c1', notes('of li'))
  assert.equal(wang.draft('c1'), null)
  await wang.flush()
  assert.deepEqual(sent, [])
  refuse = 503
  await assert.rejects(li.leave(), { code: 'no-network' }) // and nobody signs out
  assert.equal(li.draft('c1')?.text, 'of li')
  refuse = 422
  await li.leave()
  assert.equal(store.length, 0, 'what nobody can keep holds nobody up')
  assert.equal(states.at(-1), 'refused')
  refuse = 403
  wang.write('c2', notes('too late'))
  await wang.flush()
  assert.equal(store.length, 0)
  assert.equal(states.at(-1), 'theirs')
})

test('what is asked for by itself is asked once, and again after a pause only where there was no answer', () => {
  const tries = new Tries()
  assert.equal(tries.may('c1 resolved', 0), true)
  tries.tried('c1 resolved', 0, false)
  const asked = []
  for (let now = 0; now < 12_000; now += 250) { // as often as the clock goes
    if (!tries.may('c1 resolved', now)) continue
    asked.push(now)
    tries.tried('c1 resolved', now, now >= 10_000)
  }
  assert.deepEqual(asked, [5000, 10_000])
  assert.equal(tries.may('c1 resolved', 60_000), false, 'it has been answered')
  assert.equal(tries.may('c1 follow-up', 12_000), true)
  assert.equal(tries.may('c2 resolved', 12_000), true)
})

test('a feed that says nothing any more is opened anew', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  class Source {
    static all: Source[] = []
    static readonly CLOSED = 2
    closed = false
    onopen = () => {}
    #on = new Map<string, (e: { data: string }) => void>()
    constructor(readonly url: string) { Source.all.push(this) }
    addEventListener(name: string, f: (e: { data: string }) => void) { this.#on.set(name, f) }
    close() { this.closed = true }
    says(name: string, data = '{}') { this.#on.get(name)?.({ data }) }
  }
  const before = globalThis.EventSource
  globalThis.EventSource = Source as unknown as typeof EventSource
  t.after(() => { globalThis.EventSource = before })
  const states: string[] = []
  const seen: unknown[] = []
  const end = live('wall', { view: (v) => seen.push(v), state: (s) => states.push(s), gone() {} })
  Source.all[0]!.onopen()
  Source.all[0]!.says('whole', '{"a":1}')
  for (let n = 0; n < 10; n++) {
    t.mock.timers.tick(15_000)
    Source.all[0]!.says('beat')
  }
  assert.deepEqual([Source.all.length, states], [1, ['connecting', 'open']])
  t.mock.timers.tick(35_000)
  assert.deepEqual([Source.all.length, Source.all[0]!.closed, states.at(-1)], [2, true, 'lost'])
  Source.all[1]!.onopen()
  assert.equal(states.at(-1), 'open')
  end()
  t.mock.timers.tick(60_000)
  assert.deepEqual([Source.all.length, Source.all[1]!.closed, seen], [2, true, [{ a: 1 }]])
})

test('whoever hears nothing from the service is told so', async () => {
  const silent = new Api(((_: string, o: RequestInit) => new Promise((_, reject) => { if (o.signal!.aborted) reject(o.signal!.reason) })) as typeof fetch)
  const waits = AbortSignal.timeout
  AbortSignal.timeout = () => AbortSignal.abort() // 15 s are over
  try {
    await assert.rejects(silent.get('/desk'), { code: 'no-network' })
  } finally {
    AbortSignal.timeout = waits
  }
})

test('a refusal is final when the service itself has said it', () => {
  assert.deepEqual([0, 409, 422, 429, 500, 503].map((status) => new Refusal('x', status).final), [false, true, true, false, false, false])
})
