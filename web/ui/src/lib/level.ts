// How loud a stream is, and what a microphone that hears nothing looks like.

/** part maps samples to a meter's 0 to 1: -60 dBFS and less is nothing, -6 dBFS and more is all. */
export function part(samples: Float32Array): number {
  let sum = 0
  for (const s of samples) sum += s * s
  const rms = Math.sqrt(sum / Math.max(1, samples.length))
  const db = 20 * Math.log10(Math.max(rms, 1e-6))
  return Math.min(1, Math.max(0, (db + 60) / 54))
}

/**
 * Silence notices a microphone that is live and gives nothing at all, as one does that the system or a switch on the
 * headset has muted. A quiet room is never quite silent: its noise is far above the threshold.
 */
export class Silence {
  static readonly threshold = 3e-5 // peak; about -90 dBFS
  static readonly patience = 4000 // ms
  #since: number | null = null

  /** hear says whether it has been silent for long, given a moment's samples. */
  hear(samples: Float32Array, now: number): boolean {
    let peak = 0
    for (const s of samples) peak = Math.max(peak, Math.abs(s))
    if (peak > Silence.threshold) {
      this.#since = null
      return false
    }
    this.#since ??= now
    return now - this.#since >= Silence.patience
  }

  reset(): void { this.#since = null }
}

/** Meter reads a stream's level; read is cheap and is called for each picture. */
export class Meter {
  readonly #context: AudioContext
  readonly #analyser: AnalyserNode
  readonly #source: MediaStreamAudioSourceNode
  readonly samples: Float32Array<ArrayBuffer>

  constructor(context: AudioContext, stream: MediaStream) {
    this.#context = context
    this.#analyser = context.createAnalyser()
    this.#analyser.fftSize = 1024
    this.samples = new Float32Array(this.#analyser.fftSize)
    this.#source = context.createMediaStreamSource(stream)
    this.#source.connect(this.#analyser)
  }

  read(): number {
    if (this.#context.state !== 'running') return 0
    this.#analyser.getFloatTimeDomainData(this.samples)
    return part(this.samples)
  }

  /** running says whether samples mean anything: a context waits for the first click or key. */
  get running(): boolean { return this.#context.state === 'running' }

  close(): void { this.#source.disconnect() }
}
