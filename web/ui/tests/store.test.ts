import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { Desk, Order, Scene } from '../src/lib/types.ts'
import { browser, settle } from './browser.ts'

mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 })
browser()
const { DeskStore } = await import('../src/lib/desk.svelte.ts')
const { app } = await import('../src/lib/app.svelte.ts')
const { speak } = await import('../src/lib/words/index.svelte.ts')
await speak('zh-CN')

const desk = (scene: Scene | null, acts: string[] = []) => ({
  agent: { state: scene ? 'talking' : 'offline', reason: '' }, back: '', wrap_up: null, phrase: { moment: 'greeting', late: false },
  call: scene && { id: 'c1', scene, muted: false, hold: null, queue: {}, number: '', acts }, link: { audio: 'ok', caller_hears: 'talk' }, now: new Date().toISOString(),
}) as unknown as Desk

async function opened(person: 'prompt' | 'granted' = 'prompt', seen = desk(null)) {
  const b = browser({ '/api/v1/desk': seen })
  b.devices.present = [{ id: 'headset', group: 'A' }]
  b.devices.person = person
  app.notice = null
  const store = new DeskStore()
  const close = store.open()
  await settle()
  assert.ok(store.desk, 'the desk was not read')
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
