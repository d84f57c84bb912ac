import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { Refusal } from '../src/lib/api.ts'
import { Signal, type Socket } from '../src/lib/signal.ts'

// A socket whose other end the test plays.
class Played implements Socket {
  static all: Played[] = []
  onopen: ((e: any) => void) | null = null
  onmessage: ((e: { data: any }) => void) | null = null
  onclose: ((e: { code: number }) => void) | null = null
  sent: any[] = []
  closedWith: number | undefined
  constructor() { Played.all.push(this) }
  send(text: string): void { this.sent.push(JSON.parse(text)) }
  close(code?: number): void { this.closedWith = code; this.onclose?.({ code: code ?? 1005 }) }
  open(): void { this.onopen?.({}) }
  say(frame: object): void { this.onmessage?.({ data: JSON.stringify(frame) }) }
  cut(code = 1006): void { this.onclose?.({ code }) }
}

const settle = async () => { for (let i = 0; i < 10; i++) await Promise.resolve() }

function desk() {
  const events: string[] = []
  let tickets = 0
  const signal = new Signal({
    address: 'ws://test/',
    ticket: async () => `ticket-${++tickets}`,
    socket: () => new Played(),
    heard: {
      state: (s, code) => events.push(`state ${s}${code && ` ${code}`}`),
      ice: (servers) => { if (servers.length > 0) events.push(`ice ${servers[0]!.username}`) },
      welcome: (resumed) => events.push(`welcome ${resumed}`),
      answer: (sdp) => events.push(`answer ${sdp}`),
      refused: (about, code) => events.push(`refused ${about} ${code}`),
      desk: () => events.push('desk'),
    },
  })
  return { signal, events }
}

async function opened() {
  const d = desk()
  d.signal.start()
  await settle()
  const socket = Played.all.at(-1)!
  socket.open()
  socket.say({ type: 'welcome', session: 's1', resumed: false, last: 0, ice: [] })
  return { ...d, socket }
}

beforeEach(() => { mock.timers.enable({ apis: ['setTimeout', 'Date'] }); Played.all = [] })
afterEach(() => mock.timers.reset())

test('hello carries the ticket, and no session the first time', async () => {
  const { socket, events } = await opened()
  assert.deepEqual(socket.sent[0], { type: 'hello', token: 'ticket-1' })
  assert.deepEqual(events, ['state connecting', 'state open', 'welcome false'])
})

test('frames are acknowledged; a repeated one is acknowledged and not carried out', async () => {
  const { socket, events } = await opened()
  socket.say({ type: 'answer', sdp: 'x', seq: 1 })
  socket.say({ type: 'answer', sdp: 'x', seq: 1 })
  assert.deepEqual(socket.sent.slice(1), [{ type: 'ack', seq: 1 }, { type: 'ack', seq: 1 }])
  assert.equal(events.filter((e) => e === 'answer x').length, 1)
})

test('a gap closes the socket, and the session is resumed', async () => {
  const { socket } = await opened()
  socket.say({ type: 'desk', desk: {}, seq: 2 })
  assert.equal(socket.closedWith, 4422)
  mock.timers.tick(500)
  await settle()
  const next = Played.all.at(-1)!
  assert.notEqual(next, socket)
  next.open()
  assert.deepEqual(next.sent[0], { type: 'hello', token: 'ticket-2', session: 's1', last: 0 })
})

test('an order outlives the loss of its socket', async () => {
  const { signal, socket } = await opened()
  const done = signal.do({ act: 'hold' })
  const order = socket.sent.at(-1)
  socket.cut()
  assert.equal(signal.state, 'lost')
  mock.timers.tick(500)
  await settle()
  const next = Played.all.at(-1)!
  next.open()
  next.say({ type: 'welcome', session: 's1', resumed: true, last: 0, ice: [] })
  assert.deepEqual(next.sent.at(-1), order, 'sent again, with its old number')
  next.say({ type: 'done', id: order.id, seq: 1 })
  await done
})

test('an order that was told not to be done is not done when the network is back', async () => {
  const { signal, socket } = await opened()
  const order = signal.do({ act: 'answer', call: 'c1' })
  socket.cut()
  const refused = assert.rejects(order, { code: 'no-answer' })
  for (let i = 0; i < 22; i++) {
    mock.timers.tick(500)
    await settle()
  }
  await refused
  signal.send('mic', { state: 'muted' })
  const next = Played.all.at(-1)!
  next.open()
  next.say({ type: 'welcome', session: 's1', resumed: true, last: 0, ice: [] })
  assert.deepEqual(next.sent.slice(1), [{ type: 'candidate', candidate: null, seq: 1 }, { type: 'mic', state: 'muted', seq: 2 }], 'and no number is left out')
})

test('a socket that acknowledges nothing is given up for another', async () => {
  const { signal, socket } = await opened()
  signal.send('mic', { state: 'ok' })
  mock.timers.tick(3000)
  signal.send('mic', { state: 'muted' })
  socket.say({ type: 'ack', seq: 1 })
  mock.timers.tick(3900)
  assert.equal(signal.state, 'open', 'the second frame has its time, too')
  mock.timers.tick(200)
  assert.equal(signal.state, 'lost')
  mock.timers.tick(500)
  await settle()
  const next = Played.all.at(-1)!
  next.open()
  assert.deepEqual(next.sent[0], { type: 'hello', session: 's1', last: 0 }, 'without a ticket, which would be asked for on dead connections')
  next.say({ type: 'welcome', session: 's1', resumed: true, last: 1, ice: [] })
  assert.deepEqual(next.sent.at(-1), { type: 'mic', state: 'muted', seq: 2 })
  next.say({ type: 'ack', seq: 2 })
  mock.timers.tick(10_000)
  assert.equal(signal.state, 'open', 'with nothing to acknowledge, nothing is missed')
})

test('a page that doubts its socket asks for an acknowledgement, and soon', async () => {
  const { signal, socket } = await opened()
  signal.send('mic', { state: 'ok' })
  socket.say({ type: 'ack', seq: 1 })
  signal.doubt()
  assert.deepEqual(socket.sent.at(-1), { type: 'mic', seq: 1 }, 'a number that was had before')
  mock.timers.tick(1400)
  socket.say({ type: 'ack', seq: 1 })
  mock.timers.tick(10_000)
  assert.equal(signal.state, 'open')
  signal.doubt()
  mock.timers.tick(1600)
  assert.equal(signal.state, 'lost')
})

test('a session that the service does not know without a ticket gets one', async () => {
  const { signal, socket } = await opened()
  signal.send('mic', { state: 'ok' })
  signal.doubt()
  mock.timers.tick(1600)
  mock.timers.tick(500)
  await settle()
  const bare = Played.all.at(-1)!
  assert.notEqual(bare, socket)
  bare.open()
  assert.equal(bare.sent[0].token, undefined)
  bare.cut(4401)
  mock.timers.tick(1000)
  await settle()
  const next = Played.all.at(-1)!
  assert.notEqual(next, bare)
  next.open()
  assert.deepEqual(next.sent[0], { type: 'hello', token: 'ticket-2', session: 's1', last: 0 })
})

test('a ticket that is not waited for any more is not asked for any more', async () => {
  const asked: AbortSignal[] = []
  const signal = new Signal({
    address: 'ws://test/',
    ticket: (s) => { asked.push(s); return new Promise(() => {}) },
    socket: () => new Played(),
    heard: { state() {}, ice() {}, welcome() {}, answer() {}, refused() {}, desk() {} },
  })
  signal.start()
  mock.timers.tick(5000)
  assert.equal(asked.length, 1)
  assert.ok(asked[0]!.aborted)
  mock.timers.tick(500)
  assert.equal(asked.length, 2)
  signal.stop()
  assert.ok(asked[1]!.aborted)
})

test('an order that was refused says why', async () => {
  const { signal, socket } = await opened()
  const done = signal.do({ act: 'transfer', target: { kind: 'agent', id: '1002' } })
  socket.say({ type: 'refused', id: socket.sent.at(-1).id, about: 'do', code: 'not-available', values: { state: 'paused' }, seq: 1 })
  await assert.rejects(done, (why) => why instanceof Refusal && why.code === 'not-available' && why.values.state === 'paused')
})

test('orders whose session is not resumed end: nobody knows whether they were done', async () => {
  const { signal, socket } = await opened()
  const done = signal.do({ act: 'hold' })
  socket.cut()
  mock.timers.tick(500)
  await settle()
  const next = Played.all.at(-1)!
  next.open()
  next.say({ type: 'welcome', session: 's2', resumed: false, last: 0, ice: [] })
  await assert.rejects(done, { code: 'not-resumed' })
  signal.send('mic', { state: 'ok' })
  assert.equal(next.sent.at(-1).seq, 1, 'a new session counts from 1')
})

test('after another tab took over, nothing is done by itself', async () => {
  const { signal, socket, events } = await opened()
  socket.say({ type: 'taken-over', seq: 1 })
  socket.cut(4409)
  mock.timers.tick(60_000)
  await settle()
  assert.equal(Played.all.length, 1)
  assert.equal(signal.state, 'taken')
  signal.start()
  await settle()
  Played.all.at(-1)!.open()
  assert.deepEqual(Played.all.at(-1)!.sent[0], { type: 'hello', token: 'ticket-2' }, 'asked for again, it is a new session')
  assert.ok(events.includes('state taken'))
})

test('the relays are told with each welcome, and whenever their credentials are others', async () => {
  const { socket, events } = await opened()
  socket.say({ type: 'ice', ice: [{ urls: 'turn:r', username: 'second' }], seq: 1 })
  socket.cut()
  mock.timers.tick(500)
  await settle()
  const next = Played.all.at(-1)!
  next.open()
  next.say({ type: 'welcome', session: 's1', resumed: true, last: 0, ice: [{ urls: 'turn:r', username: 'third' }] })
  assert.deepEqual(events.filter((e) => e.startsWith('ice') || e.startsWith('welcome')), ['welcome false', 'ice second', 'ice third', 'welcome true'])
})

test('a page that was away while another took over is told so as it comes back, and asks no more', async () => {
  const { signal, socket } = await opened()
  socket.cut()
  mock.timers.tick(500)
  await settle()
  const next = Played.all.at(-1)!
  next.open()
  assert.equal(next.sent[0].session, 's1', 'by its name, which says that no person has asked for the desk')
  next.cut(4409)
  mock.timers.tick(60_000)
  await settle()
  assert.equal(Played.all.length, 2)
  assert.equal(signal.state, 'taken')
})

test('a service that refuses the ticket is not asked again and again', async () => {
  const events: string[] = []
  const signal = new Signal({
    address: 'ws://test/',
    ticket: async () => { throw new Refusal('no-desk', 403) },
    socket: () => new Played(),
    heard: { state: (s, c) => events.push(`${s} ${c}`), ice() {}, welcome() {}, answer() {}, refused() {}, desk() {} },
  })
  signal.start()
  await settle()
  mock.timers.tick(60_000)
  await settle()
  assert.deepEqual(events, ['connecting ', 'gone no-desk'])
})
