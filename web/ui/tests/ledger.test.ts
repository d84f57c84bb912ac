import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ledger } from '../src/lib/ledger.ts'

test('frames are numbered from 1 and kept until they are acknowledged', () => {
  const ledger = new Ledger()
  assert.deepEqual(ledger.number('offer', { sdp: 'v=0' }), { type: 'offer', sdp: 'v=0', seq: 1 })
  ledger.number('mic', { state: 'ok' })
  ledger.number('bye')
  ledger.acknowledged(2)
  assert.deepEqual(ledger.open.map((f) => f.seq), [3], 'an acknowledgement is cumulative')
})

test('an old frame is ignored and a gap is noticed', () => {
  const ledger = new Ledger()
  assert.equal(ledger.take(1), 'new')
  assert.equal(ledger.take(1), 'old')
  assert.equal(ledger.take(3), 'gap')
  assert.equal(ledger.received, 1, 'a gap takes nothing')
  assert.equal(ledger.take(2), 'new')
})

test('a resume sends again what the other side has not had, in order and with the old numbers', () => {
  const ledger = new Ledger()
  for (const type of ['a', 'b', 'c']) ledger.number(type)
  assert.deepEqual(ledger.resumed(1).map((f) => `${f.seq}${f.type}`), ['2b', '3c'])
  assert.equal(ledger.number('d').seq, 4)
})

test('a resume with nothing open counts on from where the other side is', () => {
  const ledger = new Ledger()
  assert.deepEqual(ledger.resumed(7), [])
  assert.equal(ledger.number('a').seq, 8)
})
