import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { hearAt, ringAt, ringing, tick } from '../src/lib/sound.ts'
import { browser, settle } from './browser.ts'

mock.timers.enable({ apis: ['setInterval'] })

test('calls ring in the room, and the tick before an apology is in the agent\'s ear alone', async () => {
  const { sounded } = browser()
  ringAt('loudspeaker')
  hearAt('headset')
  const quiet = ringing()
  await settle()
  tick()
  await settle()
  assert.deepEqual([...new Set(sounded)], ['440 loudspeaker', '480 loudspeaker', '1320 headset'])
  hearAt('')
  tick()
  await settle()
  assert.equal(sounded.at(-1), '1320 ', 'whichever is chosen now')
  quiet()
})
