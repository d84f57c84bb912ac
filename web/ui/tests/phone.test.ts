import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { Phone } from '../src/lib/phone.ts'
import { browser, settle, type Device } from './browser.ts'

const builtIn: Device = { id: 'built-in', group: 'A' }
const headset: Device = { id: 'headset', group: 'B' }
const camera: Device = { id: 'camera', group: 'C' }

beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 }))
afterEach(() => mock.timers.reset())

function sits(...devices: Device[]) {
  const b = browser()
  b.devices.present = devices
  const said: string[] = []
  const phone = new Phone({ mic: (state) => said.push(state), line() {}, offer() {}, candidate() {}, blocked() {} })
  const used = () => phone.stream?.getAudioTracks()[0] as unknown as { device: Device; readyState: string } | undefined
  const heardAt = () => b.speakers[0]!.sink
  return { ...b, phone, said, used, heardAt }
}

test('a headset that is pulled out is replaced in the talk, and taken back when it is there again', async () => {
  const { devices, lines, phone, said, used } = sits(builtIn, headset)
  await phone.listen('headset')
  await phone.connect()
  assert.equal(lines[0]!.sending!.device, headset)
  lines[0]!.connectionState = 'connected'
  mock.timers.tick(60_000)
  devices.plug(builtIn)
  await settle()
  assert.deepEqual(said, ['ok'], 'whoever is told that there is none takes the agent out')
  assert.equal(lines[0]!.sending!.device, builtIn)
  devices.plug(builtIn, camera)
  await settle()
  assert.equal(used()!.device, builtIn)
  devices.plug(builtIn, camera, headset)
  await settle()
  assert.equal(lines[0]!.sending!.device, headset)
  assert.equal(used()!.readyState, 'live')
  const before = devices.asked.length
  devices.plug(builtIn, headset)
  await settle()
  assert.equal(devices.asked.length, before, 'the one that is wanted is in use')
  assert.equal(devices.given.filter((t) => t.readyState === 'live').length, 1)
  phone.close()
})

test('earphones that are pulled out leave it to the system, and are taken back when they are there again', async () => {
  const { devices, phone, heardAt } = sits(builtIn, headset)
  await phone.speaker('headset')
  assert.equal(heardAt(), 'headset')
  devices.plug(builtIn)
  await settle()
  assert.equal(heardAt(), '')
  devices.plug(builtIn, headset)
  await settle()
  assert.equal(heardAt(), 'headset')
  await phone.speaker('')
  devices.plug(builtIn)
  await settle()
  assert.equal(heardAt(), '')
  phone.close()
})

test('keys that are pressed faster than they sound are all sent', async () => {
  const { lines, phone } = sits(builtIn)
  await phone.listen()
  await phone.connect()
  for (const key of ['1', '2', '#']) phone.tone(key)
  assert.equal(lines[0]!.keys.toneBuffer, '12#')
  phone.close()
})

test('where the system chooses, its new choice is taken', async () => {
  const { devices, phone, used } = sits(builtIn)
  await phone.listen()
  devices.plug(headset, builtIn)
  await settle()
  assert.equal(used()!.device, headset)
  const before = devices.asked.length
  devices.plug(headset, builtIn, camera)
  await settle()
  assert.equal(devices.asked.length, before)
  phone.close()
})

test('without another microphone there is none, until one is plugged in', async () => {
  const { devices, phone, said, used } = sits(headset)
  await phone.listen('headset')
  mock.timers.tick(60_000)
  devices.plug()
  await settle()
  assert.deepEqual(said, ['ok', 'none'])
  devices.plug(camera)
  await settle()
  assert.deepEqual(said, ['ok', 'none', 'ok'])
  assert.equal(used()!.device, camera)
  phone.close()
})

test('a microphone that ends as soon as it begins is not asked for again and again', async () => {
  const { devices, phone, said } = sits(headset)
  await phone.listen()
  devices.given[0]!.ends()
  await settle()
  assert.deepEqual([said, devices.asked.length], [['ok', 'none'], 1])
  phone.close()
})

test('of two microphones that are asked for at once the last counts', async () => {
  const { devices, phone, used } = sits(builtIn, headset)
  let give = () => {}
  devices.slow = new Promise((r) => { give = r })
  const first = phone.listen('built-in')
  assert.equal(await phone.listen('headset'), 'ok')
  give()
  assert.equal(await first, 'ok')
  assert.equal(used()!.device, headset)
  assert.deepEqual(devices.given.map((t) => t.readyState), ['live', 'ended'])
  phone.close()
})
