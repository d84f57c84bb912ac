import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { Phone } from '../src/lib/phone.ts'

// A browser's peer connection, as far as the line looks at it.
class Peer {
  static all: Peer[] = []
  connectionState = 'new'
  signalingState = 'stable'
  onconnectionstatechange: (() => void) | null = null
  /** What each offer was made with: the relay's user, and whether ICE begins anew. */
  offers: { user: string | undefined; anew: boolean }[] = []
  closed = false
  #config: RTCConfiguration
  constructor(config: RTCConfiguration) {
    this.#config = config
    Peer.all.push(this)
  }
  setConfiguration(config: RTCConfiguration): void { this.#config = config }
  addTrack(): void {}
  getSenders(): [] { return [] }
  async createOffer(options: RTCOfferOptions): Promise<RTCSessionDescriptionInit> {
    this.offers.push({ user: this.#config.iceServers?.[0]?.username, anew: options.iceRestart === true })
    return { type: 'offer', sdp: `offer ${this.offers.length}` }
  }
  async setLocalDescription(): Promise<void> { this.signalingState = 'have-local-offer' }
  close(): void { this.closed = true }
  becomes(state: string): void {
    this.connectionState = state
    this.onconnectionstatechange?.()
  }
}

const track = { kind: 'audio', enabled: true, muted: false, readyState: 'live', stop() {} }
const stream = { getTracks: () => [track], getAudioTracks: () => [track] }
const browser = {
  RTCPeerConnection: Peer,
  Audio: class { autoplay = false; srcObject = null },
  AudioContext: class {
    state = 'suspended'
    createAnalyser() { return { fftSize: 0 } }
    createMediaStreamSource() { return { connect() {}, disconnect() {} } }
    async close() {}
  },
  navigator: { mediaDevices: { addEventListener() {}, removeEventListener() {}, getUserMedia: async () => stream } },
}

const settle = async () => { for (let i = 0; i < 20; i++) await Promise.resolve() }
const relay = (username: string) => [{ urls: 'turn:relay.example', username, credential: 'c' }]

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  Peer.all = []
  for (const [name, value] of Object.entries(browser)) Object.defineProperty(globalThis, name, { value, configurable: true })
})
afterEach(() => mock.timers.reset())

test('what begins anew goes by the relays of now, and not by those whose credentials have lapsed', async () => {
  const offers: string[] = []
  const phone = new Phone({ mic() {}, line() {}, offer: (sdp) => offers.push(sdp), candidate() {}, blocked() {} })
  await phone.listen()
  phone.relays(relay('yesterday'))
  await phone.connect()
  const first = Peer.all[0]!
  first.becomes('connected')
  phone.relays(relay('today'))
  assert.equal(Peer.all.length, 1, 'a line that is up stays as it is')

  first.becomes('disconnected')
  mock.timers.tick(2000)
  await settle()
  assert.deepEqual(first.offers, [{ user: 'yesterday', anew: false }, { user: 'today', anew: true }], 'an ICE restart')

  mock.timers.tick(8000)
  await settle()
  assert.equal(Peer.all.length, 2)
  assert.ok(first.closed)
  assert.deepEqual(Peer.all[1]!.offers, [{ user: 'today', anew: false }], 'another connection')
  assert.equal(offers.length, 3)
  phone.close()
})
