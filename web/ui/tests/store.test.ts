import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { Refusal } from '../src/lib/api.ts'
import type { Desk, Order, Scene } from '../src/lib/types.ts'
import { browser, settle } from './browser.ts'

mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
browser()
const { DeskStore } = await import('../src/lib/desk.svelte.ts')
const { app } = await import('../src/lib/app.svelte.ts')
const { speak } = await import('../src/lib/words/index.svelte.ts')
await speak('zh-CN')

const desk = (scene: Scene | null, acts: string[] = [], muted = false) => ({
  agent: { state: scene ? 'talking' : 'offline', reason: '' }, back: '', wrap_up: null, phrase: { moment: 'greeting', late: false },
  call: scene && { id: 'c1', scene, muted, hold: null, queue: {}, number: '', acts }, link: { audio: 'ok', caller_hears: 'talk' }, now: new Date().toISOString(),
}) as unknown as Desk

// line is the service's end of the signalling, as far as the desk hears of it.
const line = { socket: null as any, seq: 0 }
class Played {
  onmessage: ((e: { data: string }) => void) | null = null
  onclose: ((e: { code: number }) => void) | null = null
  constructor() { Object.assign(line, { socket: this, seq: 0 }) }
  send() {}
  close() {}
}
const says = (frame: object) => line.socket.onmessage({ data: JSON.stringify(frame) })
const tells = async (frame: object) => { says({ ...frame, seq: ++line.seq }); await settle() }

async function opened(person: 'prompt' | 'granted' | 'denied' = 'prompt', seen = desk(null)) {
  const b = browser({ '/api/v1/desk': seen })
  b.devices.present = [{ id: 'headset', group: 'A' }]
  b.devices.person = person
  Object.defineProperty(globalThis, 'WebSocket', { value: Played, configurable: true })
  app.notice = null
  const store = new DeskStore()
  const close = store.open()
  await settle()
  assert.ok(store.desk, 'the desk was not read')
  says({ type: 'welcome', session: 's1', resumed: false, last: 0, ice: [] })
  await settle()
  return { ...b, store, close }
}

test('a first visitor is not told that there is no microphone, and is asked for it by signing in', async () => {
  const { store, devices, asked, close } = await opened()
  assert.deepEqual([store.mic, store.unasked, store.able, devices.asked], [null, true, true, []])
  await store.state('sign-in')
  assert.deepEqual([store.mic, store.unasked, store.able, devices.asked.length], ['ok', false, true, 1])
  assert.ok(asked.includes('POST /api/v1/desk/state'))
  close()
})

test('who is already there allows it without signing in', async () => {
  const { store, close } = await opened()
  await store.allow()
  assert.deepEqual([store.mic, store.unasked], ['ok', false])
  close()
})

test('who says no is not signed in, and is told why', async () => {
  const { store, devices, asked, close } = await opened()
  devices.person = 'denied'
  await store.state('sign-in')
  assert.deepEqual([store.mic, store.unasked, store.able, app.notice?.bad], ['denied', false, false, true])
  assert.ok(!asked.includes('POST /api/v1/desk/state'))
  close()
})

test('how a call ended is told before its agent leaves the wrap-up another way, and survives a reload', async () => {
  const wraps = { ...desk(null), agent: { state: 'wrap-up', reason: '' }, wrap_up: { call: 'c1', codes: [], ends: null, may_extend: true } } as unknown as Desk
  const { store, asked, close } = await opened('granted', wraps)
  const posts = () => asked.filter((a) => a.startsWith('POST /api/v1/desk/wrap-up') || a.startsWith('POST /api/v1/desk/state'))
  await store.state('extend')
  assert.deepEqual(posts().splice(0), ['POST /api/v1/desk/state'], 'nothing was picked')
  store.pick('c1', 'complaint')
  assert.deepEqual(new DeskStore().picked, { call: 'c1', code: 'complaint' })
  await store.state('extend')
  assert.equal(posts().length, 2, 'the wrap-up goes on')
  await store.state('pause', 'meal')
  assert.deepEqual(posts().slice(2), ['POST /api/v1/desk/wrap-up', 'POST /api/v1/desk/state'])
  await app.leave()
  assert.deepEqual(posts().slice(4), ['POST /api/v1/desk/wrap-up'], 'before signing out, too')
  close()
})

test('with Shift keys are for oneself: ready, break and its reasons, and nothing that cannot be', async () => {
  const { store, asked, close } = await opened('granted', desk('talking'))
  const posts = () => asked.filter((a) => a.startsWith('POST /api/v1/desk/state'))
  const key = (key: string, more = {}) => {
    let ours = false
    store.typed({ key, shiftKey: true, ...more, preventDefault: () => { ours = true } } as unknown as KeyboardEvent)
    return ours
  }
  assert.equal(key('F2'), true)
  assert.equal(key('F7'), true)
  await settle()
  assert.deepEqual(posts(), [], 'who talks is not made ready, and has no wrap-up to be longer')
  key('F3')
  assert.equal(store.panel, 'pause')
  key('F3', { repeat: true })
  assert.equal(store.panel, 'pause', 'a key that is held down was pressed once')
  key('F3')
  assert.equal(store.panel, '')
  key('F4')
  await settle()
  assert.deepEqual(posts(), ['POST /api/v1/desk/state'])
  assert.equal(key('F10'), false, 'the browser has that one for its menu')
  close()
})

test('the phrases are those of the moment, as far as the page knows better than the service', async () => {
  const { store, close } = await opened('granted', desk('talking'))
  store.forms = { topics: [{ id: 'wrath', name: '投诉', fields: [], complaint: true }], codes: [] }
  assert.equal(store.moment, 'greeting')
  store.topic = 'wrath'
  assert.equal(store.moment, 'complaint')
  store.panel = 'hangup'
  assert.equal(store.moment, 'closing')
  store.panel = ''
  store.desk = { ...desk('hold'), phrase: { moment: 'hold', late: false } } as unknown as Desk
  assert.equal(store.moment, 'hold', 'who waits is told so first, whatever it is about')
  store.phrases = { 'zh-CN': { hold: ['请稍等', '抱歉'] } } as never
  assert.deepEqual(store.said('hold'), ['请稍等', '抱歉'])
  close()
})

test('whoever has allowed it before is not asked to', async () => {
  const { store, close } = await opened('granted')
  assert.deepEqual([store.mic, store.unasked], ['ok', false])
  close()
})

// does notes what is asked of the service, which has done it when done is called.
function does(store: InstanceType<typeof DeskStore>) {
  const orders: string[] = []
  const open: (() => void)[] = []
  store.signal.do = ({ act }: Order) => {
    orders.push(act)
    return new Promise((resolve) => open.push(resolve))
  }
  return { orders, done: async () => { open.shift()!(); await settle() } }
}

test('a key that is held down is pressed once, and one thing is done at a time', async () => {
  const { store, close } = await opened('granted', desk('talking', ['hold', 'mute', 'keys', 'hangup']))
  const { orders, done } = does(store)
  assert.equal(store.key('F4'), true)
  store.desk = desk('hold', ['resume', 'mute', 'hangup'])
  for (let i = 0; i < 20; i++) assert.equal(store.key('F4', true), true, 'it is ours all the same: the browser is to do nothing with it')
  store.key('F4')
  assert.deepEqual(orders, ['hold'], 'the second press came before the first was done')
  store.key('F3')
  void store.do({ act: 'keys', keys: '1' })
  void store.do({ act: 'keys', keys: '2' })
  assert.deepEqual(orders, ['hold', 'mute', 'keys', 'keys'])
  assert.deepEqual(store.pressed, ['hold', 'mute', 'keys', 'keys'])
  store.key('F3')
  assert.equal(orders.length, 4)
  await done()
  assert.deepEqual(store.pressed, ['mute', 'keys', 'keys'])
  store.key('F4')
  assert.equal(orders.at(-1), 'resume')
  assert.equal(store.key('F5'), false)
  close()
})

test('the check records what comes back over the line, and where there is none what the microphone gives', async () => {
  const { store, close } = await opened('granted')
  const { orders, done } = does(store)
  const says = async (echo: ReturnType<typeof store.echo>) => {
    await settle()
    mock.timers.tick(3000)
    const heard = await echo
    return heard && [await heard.said.text(), heard.line]
  }
  assert.deepEqual(await says(store.echo()), ['the microphone', false])
  assert.deepEqual(orders, [])

  const line = store.phone.remote
  assert.equal(line, null)
  const speaker = { name: 'the line' } as unknown as MediaStream
  Object.defineProperty(store.phone, 'remote', { get: () => speaker })
  let hushed = false
  store.phone.hush = (is) => { hushed = is }
  store.line = 'ok'
  const echo = store.echo()
  await done()
  assert.deepEqual(orders, ['echo'])
  assert.equal(hushed, true, 'it is heard once, and afterwards')
  assert.deepEqual(await says(echo), ['the line', true])
  assert.equal(hushed, false)
  close()
})

const refusal = (code: string) => new Refusal(code)

test('a microphone that was closed stays so without an answer, and the service is told again when it is back', async () => {
  const { store, devices, close } = await opened('granted', desk('talking', ['mute']))
  const orders: string[] = []
  const heard = () => devices.given.at(-1)!.enabled
  let fails: string | null = 'no-answer'
  store.signal.do = async ({ act }: Order) => {
    orders.push(act)
    if (fails) throw refusal(fails)
  }
  store.press('mute')
  await settle()
  assert.deepEqual([orders, heard(), app.notice?.bad], [['mute'], false, true])
  fails = null
  await tells({ type: 'desk', desk: desk('talking', ['mute']) })
  assert.deepEqual([orders, heard()], [['mute', 'mute'], false])
  await tells({ type: 'desk', desk: desk('talking', ['unmute'], true) })
  await tells({ type: 'desk', desk: desk('talking', ['mute']) })
  assert.deepEqual([orders.length, heard()], [2, true], 'what the service knows counts again')
  fails = 'impossible'
  store.press('mute')
  await settle()
  assert.equal(heard(), true, 'a no is an answer')
  close()
})

test('of a desk that another tab has nothing stays here, and nobody is kept from leaving', async () => {
  const { store, lines, close } = await opened('granted', desk('talking', ['mute']))
  store.panel = 'keys'
  assert.equal(store.talking, true)
  await tells({ type: 'taken-over' })
  assert.deepEqual([store.signalState, store.talking, store.desk, store.history, store.panel, app.busy()], ['taken', false, null, null, '', false])
  assert.ok(lines.every((l) => l.connectionState === 'closed'))
  close()
})

test('a phone stops ringing when the line is gone, and when its time is over with the service away', async () => {
  const ringing = (id: string, seconds: number) => {
    const d = desk('ringing')
    return { ...d, call: { ...d.call, id, ring_ends: new Date(Date.now() + seconds * 1000).toISOString() } }
  }
  const { store, sounded, close } = await opened('granted')
  const rings = async (seconds: number) => {
    const before = sounded.length
    mock.timers.tick(seconds * 1000)
    await settle()
    return sounded.length > before
  }
  await tells({ type: 'desk', desk: ringing('c1', 15) })
  assert.equal(await rings(10), true)
  line.socket.onclose({ code: 1006 })
  assert.equal(await rings(8), true, 'until its time is over')
  assert.equal(await rings(10), false)
  assert.equal(store.signalState, 'lost')
  close()

  const other = await opened('granted')
  await tells({ type: 'desk', desk: ringing('c2', 600) })
  await tells({ type: 'gone', code: 'slow' })
  const before = other.sounded.length
  mock.timers.tick(20_000)
  await settle()
  assert.deepEqual([other.store.signalState, other.sounded.length], ['gone', before])
  other.close()
})

test('who allows the microphone in the browser need not do anything here', async () => {
  const { store, devices, close } = await opened('denied')
  await store.allow()
  assert.deepEqual([store.mic, store.bar?.help], ['denied', 'allow'])
  devices.allow()
  await settle()
  assert.equal(store.mic, 'ok')
  close()
})

test('the focus goes back to where it was before a panel was opened, unless it is elsewhere already', async () => {
  const { store, close } = await opened('granted', desk('talking', ['keys', 'hangup']))
  let at = ''
  const place = (name: string) => ({ isConnected: true, focus: () => { at = name } })
  const document = globalThis.document as any
  document.activeElement = place('notes')
  store.press('keys')
  document.activeElement = document.body = {}
  store.typed({ key: 'Escape', preventDefault() {} } as KeyboardEvent)
  await settle()
  assert.deepEqual([store.panel, at], ['', 'notes'])
  at = ''
  document.activeElement = place('notes')
  store.press('hangup')
  store.press('keys')
  store.typed({ key: 'Escape', isComposing: true, preventDefault() {} } as KeyboardEvent)
  assert.equal(store.panel, 'keys', 'Escape is for what is being typed')
  document.activeElement = place('elsewhere')
  store.panel = ''
  await settle()
  assert.equal(at, '')
  close()
})
