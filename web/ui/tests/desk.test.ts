import assert from 'node:assert/strict'
import { test } from 'node:test'
import { possible, shown, slots } from '../src/lib/acts.ts'
import { bar, type Trouble } from '../src/lib/bar.ts'
import { inTime, unwell } from '../src/lib/health.ts'
import { queueFields } from '../src/lib/rules.ts'
import { seconds } from '../src/lib/format.ts'
import { groups } from '../src/lib/states.ts'
import { zh } from '../src/lib/words/zh-CN.ts'
import type { Act, DeskCall, Scene } from '../src/lib/types.ts'

const call = (scene: Scene, acts: Act[]) => ({ scene, acts }) as DeskCall
const seen = (c: DeskCall | null, deaf = false) => slots.map((s) => shown(s, c, deaf)).map((s) => (s.can ? s.act : `(${s.act})`)).join(' ')

test('each key does what is possible in the scene, in its own place', () => {
  assert.equal(seen(null), '(answer) (mute) (hold) (consult) (transfer) (duty) (keys) (hangup)')
  assert.equal(seen(call('ringing', [])), 'answer (mute) (hold) (consult) (transfer) (duty) (keys) decline')
  assert.equal(seen(call('talking', ['hold', 'mute', 'consult', 'transfer', 'keys', 'hangup'])), '(answer) mute hold consult transfer duty keys hangup')
  assert.equal(seen(call('hold', ['resume', 'unmute', 'consult', 'transfer', 'hangup'])), '(answer) unmute resume consult transfer duty (keys) hangup')
  assert.equal(seen(call('consulting', ['mute', 'cancel', 'join', 'complete', 'keys'])), '(answer) mute (hold) cancel complete join keys (hangup)')
  assert.equal(seen(call('three-way', ['mute', 'drop', 'complete', 'keys'])), '(answer) mute (hold) drop complete (duty) keys (hangup)')
})

test('who hung up by mistake takes the caller back with the key that answers, until another call rings', () => {
  const first = (c: DeskCall | null, back: string) => shown(slots[0]!, c, false, back)
  assert.deepEqual(first(null, 'c1'), { act: 'rejoin', can: true })
  assert.deepEqual(first(null, ''), { act: 'answer', can: false })
  assert.deepEqual(first(call('ringing', []), 'c1'), { act: 'answer', can: true })
})

test('without a line of its own the page does not answer for the phone', () => {
  assert.equal(seen(call('ringing', []), true).split(' ')[0], '(answer)')
  assert.equal(possible('decline', call('talking', ['hangup'])), false)
})

const well: Trouble = { signal: 'open', code: '', line: 'ok', mic: 'ok', blocked: false, quiet: false, calling: true, hears: 'talk' }

test('the bar says the one thing that matters most to the caller', () => {
  const says = (more: Partial<Trouble>) => {
    const b = bar({ ...well, ...more })
    return b ? `${b.say} ${b.caller}` : ''
  }
  assert.equal(says({}), '')
  assert.equal(says({ signal: 'lost' }), 'signalTalk nobody', 'the talk goes on while only the buttons do not work')
  assert.equal(says({ signal: 'lost', quiet: true }), 'signal nobody', 'nothing is claimed of a line that is quiet as well')
  assert.equal(says({ signal: 'lost', line: 'lost' }), 'audioTone nobody')
  assert.equal(says({ signal: 'lost', line: 'ok', calling: false, hears: '' }), 'signal nobody')
  assert.equal(says({ signal: 'lost', code: 'closing', hears: 'tone' }), 'restart tone')
  assert.equal(says({ mic: 'none' }), 'noneTalk talk')
  assert.equal(says({ mic: 'none', calling: false, hears: '' }), 'none nobody')
  assert.equal(says({ mic: 'denied', signal: 'lost', calling: false }), 'denied nobody')
  assert.equal(says({ mic: 'silent' }), 'silent nobody')
  assert.equal(says({ signal: 'taken', mic: 'denied', line: 'lost' }), 'taken nobody')
})

test('health names what is not well, the worst first', () => {
  assert.deepEqual(unwell({ asterisk: 'ok', journal: 'late', trunk: 'none', redis: 'ok', calls: 'taken', degraded: ['x'] }).map((u) => u.part), ['journal'])
  assert.deepEqual(unwell({ asterisk: 'ok', journal: 'ok', trunk: 'none', redis: 'ok', calls: 'taken', degraded: ['x'] }), [{ part: 'service', code: 'degraded', down: false }])
  assert.deepEqual(unwell({ asterisk: 'away', journal: 'late', trunk: 'none', redis: 'alone', calls: 'draining', degraded: [] }).map((u) => `${u.part} ${u.down}`),
    ['asterisk true', 'journal false', 'redis false', 'calls false'])
})

test('the service level is not rounded up into the target', () => {
  assert.equal(inTime({ within_today: 799, answered_today: 1000, unserved_today: 0 }), 79)
  assert.equal(inTime({ within_today: 0, answered_today: 0, unserved_today: 0 }), null)
  assert.equal(inTime({ within_today: 8, answered_today: 8, unserved_today: 2 }), 80, 'who waits for long and gives up was not served in time')
})

test('the limits of durations in the rules are durations', () => {
  for (const f of queueFields) if (f.kind === 'duration') assert.ok(seconds(String(f.min)) < seconds(String(f.max)), f.key)
})

test('the floor counts each agent once, and nobody as talking whose phone only rings', () => {
  const states = groups.flat()
  assert.equal(new Set(states).size, states.length)
  const { nobody: _, ...all } = zh.state
  assert.deepEqual([...states].sort(), Object.keys(all).sort())
  assert.deepEqual(groups.find((g) => g.includes('talking')), ['talking', 'hold', 'consult'], 'as the queue counts talks')
})
