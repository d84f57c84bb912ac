// A browser that tests play: its devices and its person, as far as the pages' own code asks for them.

/** A device, which has a group of its own. */
export interface Device { id: string; group: string }

export class Track {
  enabled = true
  muted = false
  readyState: 'live' | 'ended' = 'live'
  onended: (() => void) | null = null
  readonly device: Device
  readonly asked: string

  constructor(device: Device, asked: string) {
    this.device = device
    this.asked = asked
  }

  getSettings() { return { deviceId: this.asked || 'default', groupId: this.device.group } }
  stop(): void { this.readyState = 'ended' }
  ends(): void {
    this.readyState = 'ended'
    this.onended?.()
  }
}

class Media {
  readonly track: Track
  constructor(track: Track) { this.track = track }
  getTracks() { return [this.track] }
  getAudioTracks() { return [this.track] }
}

/** The microphones; the first is the system's choice. */
export class Devices {
  present: Device[] = []
  person: 'prompt' | 'granted' | 'denied' = 'granted'
  /** What was asked for, and what was given. */
  asked: string[] = []
  given: Track[] = []
  /** slow keeps the next that is asked for from being given before it is over. */
  slow: Promise<void> | null = null
  #changed = new Set<() => void>()
  #allowed = new Set<() => void>()

  /** permission is what the browser tells of the person's. */
  permission() {
    const devices = this
    return { get state() { return devices.person }, addEventListener: (_: string, told: () => void) => { this.#allowed.add(told) } }
  }

  /** allow is the person's doing so in the browser's settings. */
  allow(): void {
    this.person = 'granted'
    for (const told of this.#allowed) told()
  }

  addEventListener(_: string, changed: () => void) { this.#changed.add(changed) }
  removeEventListener(_: string, changed: () => void) { this.#changed.delete(changed) }

  async enumerateDevices() {
    const all = this.present[0] ? [{ id: 'default', group: this.present[0].group }, ...this.present] : []
    return all.map((d) => ({ kind: 'audioinput', deviceId: d.id, groupId: d.group, label: d.id }))
  }

  async getUserMedia({ audio }: { audio: { deviceId?: { ideal: string } } }) {
    const wanted = audio.deviceId?.ideal ?? ''
    this.asked.push(wanted)
    const slow = this.slow
    this.slow = null
    await slow
    if (this.person === 'denied') throw new DOMException('', 'NotAllowedError')
    this.person = 'granted'
    const device = this.present.find((d) => d.id === wanted) ?? this.present[0]
    if (!device) throw new DOMException('', 'NotFoundError')
    const track = new Track(device, device.id === wanted ? wanted : '')
    this.given.push(track)
    return new Media(track)
  }

  /** plug has these be the devices; what is recorded from others ends. */
  plug(...devices: Device[]): void {
    this.present = devices
    for (const t of this.given) if (t.readyState === 'live' && !devices.includes(t.device)) t.ends()
    for (const changed of this.#changed) changed()
  }
}

class Gain {
  setValueAtTime() {}
  linearRampToValueAtTime() {}
}

/** Sound is an AudioContext; sounded is what was heard where: "440 loudspeaker". */
class Sound {
  static sounded: string[] = []
  state = 'running'
  currentTime = 0
  destination = {}
  #sink = ''

  async setSinkId(device: string) { this.#sink = device }
  async resume() {}
  async close() {}
  createAnalyser() { return { fftSize: 0, getFloatTimeDomainData(samples: Float32Array) { samples.fill(0.01) } } }
  createMediaStreamSource() { return { connect() {}, disconnect() {} } }
  createGain() { return { gain: new Gain(), connect() {} } }
  createOscillator() {
    const frequency = { value: 0 }
    return { frequency, connect: (to: unknown) => to, start: () => { Sound.sounded.push(`${frequency.value} ${this.#sink}`) }, stop() {} }
  }
}

class Line {
  static all: Line[] = []
  connectionState = 'new'
  signalingState = 'stable'
  sending: Track | null = null
  /** keys are those that are still to sound: none has by now. */
  keys = { toneBuffer: '', insertDTMF(keys: string) { this.toneBuffer = keys } }
  constructor() { Line.all.push(this) }
  addTrack(track: Track) { this.sending = track }
  getSenders() { return [{ replaceTrack: async (track: Track) => { this.sending = track }, dtmf: this.keys }] }
  async createOffer() { return { type: 'offer', sdp: 'v=0' } }
  async setLocalDescription() { this.signalingState = 'have-local-offer' }
  close() { this.connectionState = 'closed' }
}

class Recorder {
  state = 'inactive'
  mimeType = 'audio/x'
  ondataavailable: ((e: { data: Blob }) => void) | null = null
  onstop: (() => void) | null = null
  readonly stream: { name?: string }
  constructor(stream: { name?: string }) { this.stream = stream }
  start() { this.state = 'recording' }
  stop() {
    this.state = 'inactive'
    this.ondataavailable?.({ data: new Blob([this.stream.name ?? 'the microphone']) })
    this.onstop?.()
  }
}

class Speaker {
  static all: Speaker[] = []
  static devices: Devices
  srcObject: unknown = null
  muted = false
  sink = ''
  constructor() { Speaker.all.push(this) }
  async play() {}
  async setSinkId(device: string) {
    if (device && !Speaker.devices.present.some((d) => d.id === device)) throw new DOMException('', 'NotFoundError')
    this.sink = device
  }
}

class Socket {
  send() {}
  close() {}
}

const storage = (kept: Map<string, string>) => ({
  get length() { return kept.size }, key: (i: number) => [...kept.keys()][i] ?? null,
  getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => kept.set(k, v), removeItem: (k: string) => kept.delete(k),
})

/** browser is one that has just been opened on a page; asked are the requests to the service, which answers by path. */
export function browser(answers: Record<string, unknown> = {}) {
  const kept = new Map<string, string>(), tab = new Map<string, string>()
  const devices = new Devices()
  const asked: string[] = []
  Sound.sounded = []
  Line.all = []
  Speaker.all = []
  Speaker.devices = devices
  const all = {
    navigator: { language: 'zh-CN', mediaDevices: devices, permissions: { query: async () => devices.permission() } },
    localStorage: storage(kept), sessionStorage: storage(tab),
    location: { protocol: 'http:', host: 'hotline', pathname: '/desk', search: '' },
    document: { hidden: false, documentElement: { dataset: {}, lang: '' } },
    addEventListener() {}, removeEventListener() {}, window: {},
    fetch: async (path: string, init: { method: string }) => {
      asked.push(`${init.method} ${path}`)
      return new Response(JSON.stringify(answers[path] ?? {}), { status: 200 })
    },
    Audio: Speaker, AudioContext: Sound, RTCPeerConnection: Line, MediaRecorder: Recorder, WebSocket: Socket,
  }
  for (const [name, value] of Object.entries(all)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  return { devices, asked, kept, sounded: Sound.sounded, lines: Line.all, speakers: Speaker.all }
}

/** settle lets promises come to their end, which wait for nothing else. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 40; i++) await Promise.resolve()
}
