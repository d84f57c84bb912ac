// The few sounds that the page itself makes: the ring of an incoming call, which may be for the whole room, and the tick
// before an apology is due, which is for the agent's ear alone.

type Context = AudioContext & { setSinkId?: (id: string) => Promise<void> }

/** Output plays on a device of its own, whichever is chosen when it plays. */
class Output {
  #context: Context | null = null
  #on = ''
  readonly #device: () => string

  constructor(device: () => string) {
    this.#device = device
  }

  async play(sound: (c: AudioContext) => void): Promise<void> {
    const c = (this.#context ??= new AudioContext() as Context)
    if (c.state === 'suspended') void c.resume()
    const device = this.#device()
    // One that is gone leaves the sound where it was, and is tried again with the next.
    if (device !== this.#on) await c.setSinkId?.(device).then(() => { this.#on = device }, () => {})
    sound(c)
  }
}

const keptRinger = 'hotline.ringer'
const keptSpeaker = 'hotline.speaker'
const kept = (name: string) => localStorage.getItem(name) ?? ''

/** ringer is the device that was chosen to ring; "": the system's. Often it is the loudspeaker, while talks are on the headset. */
export const ringer = (): string => kept(keptRinger)
export const ringAt = (device: string): void => localStorage.setItem(keptRinger, device)

/** speaker is the device that was chosen to hear others on; "": the system's. */
export const speaker = (): string => kept(keptSpeaker)
export const hearAt = (device: string): void => localStorage.setItem(keptSpeaker, device)

const room = new Output(ringer)
const ear = new Output(speaker)

function tone(c: AudioContext, frequency: number, from: number, length: number, loud: number): void {
  const oscillator = c.createOscillator()
  const gain = c.createGain()
  oscillator.frequency.value = frequency
  gain.gain.setValueAtTime(0, from)
  gain.gain.linearRampToValueAtTime(loud, from + 0.02)
  gain.gain.setValueAtTime(loud, from + length - 0.04)
  gain.gain.linearRampToValueAtTime(0, from + length)
  oscillator.connect(gain).connect(c.destination)
  oscillator.start(from)
  oscillator.stop(from + length)
}

/** ringing rings once every five seconds, softly at first, until the returned function is called. */
export function ringing(): () => void {
  let rung = 0
  const once = () => room.play((c) => {
    const loud = Math.min(0.05 + 0.05 * rung++, 0.15)
    for (let i = 0; i < 2; i++) {
      tone(c, 440, c.currentTime + i * 0.5, 0.4, loud)
      tone(c, 480, c.currentTime + i * 0.5, 0.4, loud)
    }
  })
  void once()
  const timer = setInterval(once, 5000)
  return () => clearInterval(timer)
}

/** tick is the soft sound in the agent's ear when an apology is five seconds off. */
export function tick(): void {
  void ear.play((c) => tone(c, 1320, c.currentTime, 0.06, 0.04))
}
