// The few sounds that the page itself makes: the ring of an incoming call and the tick before an apology is due.

let context: AudioContext | null = null

function audio(): AudioContext {
  context ??= new AudioContext()
  if (context.state === 'suspended') void context.resume()
  return context
}

const kept = 'hotline.ringer'

/** ringer is the device that was chosen to ring; "": the system's. */
export function ringer(): string { return localStorage.getItem(kept) ?? '' }

/** ringAt chooses the device that rings; often the loudspeaker, while talks are on the headset. */
export async function ringAt(device: string): Promise<void> {
  localStorage.setItem(kept, device)
  const c = audio() as AudioContext & { setSinkId?: (id: string) => Promise<void> }
  await c.setSinkId?.(device).catch(() => {})
}

function tone(frequency: number, from: number, length: number, loud: number): void {
  const c = audio()
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
  const once = () => {
    const at = audio().currentTime
    const loud = Math.min(0.05 + 0.05 * rung++, 0.15)
    for (let i = 0; i < 2; i++) {
      tone(440, at + i * 0.5, 0.4, loud)
      tone(480, at + i * 0.5, 0.4, loud)
    }
  }
  once()
  const timer = setInterval(once, 5000)
  return () => clearInterval(timer)
}

/** tick is the soft sound in the agent's ear when an apology is five seconds off. */
export function tick(): void {
  tone(1320, audio().currentTime, 0.06, 0.04)
}
