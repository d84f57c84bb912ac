// The browser's end of a line: microphone, loudspeaker and one peer connection, which the page offers and the service
// answers. What becomes of it is told to whoever made it; nothing here knows of calls.

import { Meter, Silence } from './level.ts'
import type { IceServer } from './signal.ts'

/** What the service is told about the microphone. */
export type Mic = 'ok' | 'silent' | 'muted' | 'denied' | 'none'
export type Line = 'none' | 'connecting' | 'ok' | 'lost'

export interface PhoneHeard {
  mic(state: Mic): void
  line(state: Line): void
  offer(sdp: string): void
  candidate(candidate: RTCIceCandidateInit | null): void
  /** The browser will not play sound before the first click or key. */
  blocked(is: boolean): void
}

export interface Devices { mics: MediaDeviceInfo[]; speakers: MediaDeviceInfo[] }

// A disconnection often mends itself; after so long ICE begins anew, and if that fails so does the whole connection.
const mending = 2000
const patience = 8000
// A microphone that lasts no longer is not asked for again before the devices change.
const fleeting = 1000

export class Phone {
  readonly #heard: PhoneHeard
  #stream: MediaStream | null = null
  #chosen = '' // the microphone that is wanted; '': the system's
  #speaker = '' // likewise
  #asked: Promise<Mic> = Promise.resolve('none')
  #times = 0 // that it was asked for
  #pc: RTCPeerConnection | null = null
  #ice: IceServer[] = []
  #audio = new Audio()
  #context: AudioContext | null = null
  #in: Meter | null = null
  #out: Meter | null = null
  #silence = new Silence()
  #watch: ReturnType<typeof setInterval> | undefined
  #mend: ReturnType<typeof setTimeout> | undefined
  #mic: Mic | null = null
  #line: Line = 'none'
  #open = true
  #wanted = false
  #ended = false

  constructor(heard: PhoneHeard) {
    this.#heard = heard
    this.#audio.autoplay = true
    navigator.mediaDevices?.addEventListener?.('devicechange', this.#changed)
  }

  get mic(): Mic | null { return this.#mic }
  get line(): Line { return this.#line }
  get stream(): MediaStream | null { return this.#stream }
  /** remote is what comes over the line; null before anything does. */
  get remote(): MediaStream | null { return this.#audio.srcObject as MediaStream | null }

  /**
   * listen asks for a microphone, or again for the one of before; what came of it is told by mic. While that device is gone
   * the usual one takes its place. Of several that are asked for at once the last counts.
   */
  listen(device = this.#chosen): Promise<Mic> {
    this.#chosen = device
    return (this.#asked = this.#take(device, ++this.#times))
  }

  async #take(device: string, time: number): Promise<Mic> {
    if (!navigator.mediaDevices?.getUserMedia) return this.#say('none')
    const audio: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 }
    if (device) audio.deviceId = { ideal: device }
    let stream: MediaStream
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio })
    } catch (why) {
      if (time !== this.#times) return this.#asked
      const name = why instanceof DOMException ? why.name : ''
      return this.#say(name === 'NotAllowedError' || name === 'SecurityError' ? 'denied' : 'none')
    }
    if (this.#ended || time !== this.#times) {
      for (const t of stream.getTracks()) t.stop()
      return this.#ended ? 'none' : this.#asked
    }
    const before = this.#stream
    this.#stream = stream
    const track = stream.getAudioTracks()[0]!
    track.enabled = this.#open
    track.onmute = track.onunmute = () => this.#look()
    // Nobody is told that there is none before it is so: a talk goes on with another. One that is gone as soon as it came is none.
    const since = Date.now()
    track.onended = () => void (Date.now() - since < fleeting ? this.#say('none') : this.listen())
    this.#context ??= new AudioContext()
    this.#in?.close()
    this.#in = new Meter(this.#context, stream)
    this.#silence.reset()
    clearInterval(this.#watch)
    this.#watch = setInterval(() => this.#look(), 250)
    const sender = this.#pc?.getSenders()[0]
    if (sender) await sender.replaceTrack(track)
    for (const t of before?.getTracks() ?? []) t.stop()
    const mic = this.#say(track.muted ? 'muted' : 'ok')
    if (this.#wanted && !this.#pc) await this.#dial()
    return mic
  }

  /** relays are those to go by from now on. A connection that is up stays as it is until it begins anew. */
  relays(ice: IceServer[]): void { this.#ice = ice }

  /** connect makes a new connection and offers it, as soon as there is a microphone. */
  async connect(): Promise<void> {
    this.#wanted = true
    await this.#dial()
  }

  async answered(sdp: string): Promise<void> {
    if (this.#pc?.signalingState !== 'have-local-offer') return // an answer to an offer that has been replaced
    try {
      await this.#pc.setRemoteDescription({ type: 'answer', sdp })
    } catch {
      this.#lost()
    }
  }

  /** refused is the service's saying that it cannot use our offer: a new connection may do better, but not at once. */
  refused(): void {
    this.#to('lost')
    this.#soon(1500, () => void this.#dial())
  }

  /** quietFor is how long, in milliseconds, no packet has come from the other side; 0 where none ever came. */
  quietFor(): number {
    const last = this.#pc?.getReceivers?.()[0]?.getSynchronizationSources()[0]?.timestamp
    return last === undefined ? 0 : Math.max(0, performance.timeOrigin + performance.now() - last)
  }

  /** open lets the microphone be heard, or not: at once, before the service has done its part. */
  open(is: boolean): void {
    this.#open = is
    this.#silence.reset()
    for (const t of this.#stream?.getAudioTracks() ?? []) t.enabled = is
  }

  /** tone sends a key as telephone-event (RFC 4733), after those that are still to be sent. */
  tone(key: string): void {
    const keys = this.#pc?.getSenders()[0]?.dtmf
    keys?.insertDTMF(keys.toneBuffer + key, 160, 60)
  }

  /** levels are those of what goes out and what comes in, from 0 to 1. */
  levels(): { out: number; in: number } {
    return { out: this.#open ? (this.#in?.read() ?? 0) : 0, in: this.#out?.read() ?? 0 }
  }

  /**
   * speaker chooses where others are heard. While that device is gone, and where the browser cannot choose, it is the system's
   * choice.
   */
  async speaker(device: string): Promise<void> {
    this.#speaker = device
    const audio = this.#audio as HTMLAudioElement & { setSinkId?: (id: string) => Promise<void> }
    await audio.setSinkId?.(device).catch(() => (device && device === this.#speaker ? audio.setSinkId?.('') : undefined)).catch(() => {})
  }

  /** hush keeps what comes over the line from being heard, or lets it be heard again. */
  hush(is: boolean): void { this.#audio.muted = is }

  /** unblock is called with a click or a key, after which sound may be played. */
  async unblock(): Promise<void> {
    await this.#context?.resume()
    await this.#play()
  }

  /** mustAsk says whether the browser would ask the person for the microphone now. */
  static async mustAsk(): Promise<boolean> {
    try {
      return (await navigator.permissions.query({ name: 'microphone' as PermissionName })).state === 'prompt'
    } catch {
      return true // a browser that does not tell
    }
  }

  /**
   * onAllowed calls back when the person has allowed the microphone in the browser's own settings, until the returned function is
   * called. Some browsers do not tell.
   */
  static onAllowed(allowed: () => void): () => void {
    const end = new AbortController()
    navigator.permissions?.query({ name: 'microphone' as PermissionName }).then((permission) => {
      permission.addEventListener?.('change', () => { if (permission.state === 'granted') allowed() }, { signal: end.signal })
    }).catch(() => {})
    return () => end.abort()
  }

  static async devices(): Promise<Devices> {
    const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? []
    return { mics: all.filter((d) => d.kind === 'audioinput'), speakers: all.filter((d) => d.kind === 'audiooutput') }
  }

  /** hangUp ends the line and keeps the microphone for the next. */
  hangUp(): void {
    clearTimeout(this.#mend)
    this.#wanted = false
    this.#drop()
    this.#to('none')
  }

  close(): void {
    this.#ended = true
    this.hangUp()
    clearInterval(this.#watch)
    navigator.mediaDevices?.removeEventListener?.('devicechange', this.#changed)
    for (const t of this.#stream?.getTracks() ?? []) t.stop()
    this.#stream = null
    this.#in?.close()
    void this.#context?.close()
  }

  // The earphones were pulled out, or are there again. The microphone in use was, or one is there at last, or the one that is
  // wanted is there again.
  #changed = async () => {
    if (this.#speaker) void this.speaker(this.#speaker)
    const track = this.#stream?.getAudioTracks()[0]
    if (this.#mic === 'none' || track?.readyState === 'ended' || (track && (await this.#elsewhere(track)))) void this.listen()
  }

  // The system's own choice is listed as "default", if at all, with the group of the device that it is.
  async #elsewhere(track: MediaStreamTrack): Promise<boolean> {
    const used = track.getSettings()
    const wanted = (await Phone.devices()).mics.find((d) => d.deviceId === (this.#chosen || 'default'))
    if (!wanted) return false
    return this.#chosen ? used.deviceId !== wanted.deviceId : Boolean(used.groupId && wanted.groupId) && used.groupId !== wanted.groupId
  }

  async #dial(): Promise<void> {
    this.#drop()
    const stream = this.#stream
    if (!stream) return
    const pc = new RTCPeerConnection({ iceServers: this.#ice })
    this.#pc = pc
    this.#to(this.#line === 'lost' ? 'lost' : 'connecting')
    pc.addTrack(stream.getAudioTracks()[0]!, stream)
    pc.ontrack = (e) => {
      const remote = e.streams[0] ?? new MediaStream([e.track])
      this.#audio.srcObject = remote
      void this.#play()
      this.#out?.close()
      if (this.#context) this.#out = new Meter(this.#context, remote)
    }
    pc.onicecandidate = (e) => this.#heard.candidate(e.candidate?.toJSON() ?? null)
    pc.onconnectionstatechange = () => {
      if (this.#pc === pc) this.#went(pc.connectionState)
    }
    await this.#offer(pc, {})
    // An answer that never comes must not leave the line connecting for ever.
    this.#soon(patience, () => void this.#dial())
  }

  async #offer(pc: RTCPeerConnection, options: RTCOfferOptions): Promise<void> {
    const offer = await pc.createOffer(options)
    if (this.#pc !== pc) return
    await pc.setLocalDescription(offer)
    this.#heard.offer(offer.sdp ?? '')
  }

  #went(state: RTCPeerConnectionState): void {
    switch (state) {
      case 'connected':
        clearTimeout(this.#mend)
        this.#to('ok')
        break
      case 'disconnected':
        this.#to('lost')
        this.#soon(mending, () => this.#restart())
        break
      case 'failed':
        this.#lost()
        break
    }
  }

  #restart(): void {
    const pc = this.#pc
    if (!pc || pc.connectionState === 'connected') return
    pc.setConfiguration?.({ iceServers: this.#ice }) // the credentials of when it was made may have lapsed
    void this.#offer(pc, { iceRestart: true })
    this.#soon(patience, () => void this.#dial())
  }

  #lost(): void {
    this.#to('lost')
    void this.#dial()
  }

  #soon(ms: number, then: () => void): void {
    clearTimeout(this.#mend)
    this.#mend = setTimeout(() => {
      if (!this.#ended && this.#pc && this.#pc.connectionState !== 'connected') then()
    }, ms)
  }

  #drop(): void {
    const pc = this.#pc
    this.#pc = null
    this.#out?.close()
    this.#out = null
    pc?.close()
  }

  async #play(): Promise<void> {
    if (!this.#audio.srcObject) return
    try {
      await this.#audio.play()
      this.#heard.blocked(false)
    } catch (why) {
      if (why instanceof DOMException && why.name === 'NotAllowedError') this.#heard.blocked(true)
    }
  }

  // A microphone that is muted by the system says so, or is silent as no room is.
  #look(): void {
    const track = this.#stream?.getAudioTracks()[0]
    if (!track || track.readyState === 'ended') return
    if (track.muted) {
      this.#say('muted')
      return
    }
    this.#in?.read()
    const silent = this.#open && this.#in?.running ? this.#silence.hear(this.#in.samples, performance.now()) : false
    this.#say(silent ? 'silent' : 'ok')
  }

  #say(mic: Mic): Mic {
    if (this.#mic !== mic) {
      this.#mic = mic
      this.#heard.mic(mic)
    }
    return mic
  }

  #to(line: Line): void {
    if (this.#line === line) return
    this.#line = line
    this.#heard.line(line)
  }
}

/** recorded is what a stream says in so many milliseconds. */
export function recorded(stream: MediaStream, ms: number): Promise<Blob> {
  return new Promise((resolve, reject) => {
    const parts: Blob[] = []
    const recorder = new MediaRecorder(stream)
    recorder.ondataavailable = (e) => parts.push(e.data)
    recorder.onstop = () => resolve(new Blob(parts, { type: recorder.mimeType }))
    recorder.onerror = () => reject(new Error('it cannot be recorded'))
    recorder.start()
    setTimeout(() => { if (recorder.state !== 'inactive') recorder.stop() }, ms)
  })
}
