// A customer's line from a web page: no account, no desk. A ticket is asked for without signing in, and the line itself
// is the call: when it has ended, the session is gone. A line that breaks comes back to the same call, and so it does when
// the service is started anew.

import { api, Refusal, root } from './api.ts'
import { Phone, type Mic } from './phone.ts'
import { Signal } from './signal.ts'

export type CallerState = 'idle' | 'asking' | 'calling' | 'talking' | 'ended' | 'denied' | 'none' | 'failed' | 'off'

export class CallerLine {
  state = $state<CallerState>('idle')
  mic = $state<Mic | null>(null)
  broken = $state(false)
  code = $state('')
  since = $state(0)
  #phone: Phone | null = null
  #signal: Signal | null = null
  #visitor = '' // what further tickets for this call are given for

  /** ask finds out whether anybody may call from here. */
  async ask(): Promise<void> {
    const ways = await api.get<{ visitors: boolean }>('/session/ways').catch(() => null) // a call will say what is wrong
    if (ways && !ways.visitors && this.state === 'idle') this.state = 'off'
  }

  /** call dials: the microphone first, so that nobody is called who cannot be heard. */
  async call(): Promise<void> {
    this.state = 'asking'
    this.code = ''
    this.since = 0
    this.#visitor = ''
    const phone = new Phone({
      mic: (mic) => {
        this.mic = mic
        this.#signal?.send('mic', { state: mic })
      },
      line: (line) => {
        this.broken = line === 'lost'
        if (line === 'lost') this.#signal?.doubt()
        if (line === 'ok' && this.state === 'calling') {
          this.state = 'talking'
          this.since = Date.now()
        }
      },
      offer: (sdp) => this.#signal?.send('offer', { sdp }),
      candidate: (candidate) => this.#signal?.send('candidate', { candidate }),
      blocked: () => void this.#phone?.unblock(),
    })
    this.#phone = phone
    const mic = await phone.listen()
    if (mic === 'denied' || mic === 'none') {
      this.#over(mic)
      return
    }
    this.state = 'calling'
    this.#signal = new Signal({
      address: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${root}/desk/signal`,
      ticket: (signal) => this.#ticket(signal),
      heard: {
        state: (state, code) => {
          if (state === 'gone' || state === 'taken') this.#gone(code)
          else this.broken = state === 'lost'
        },
        ice: (servers) => phone.relays(servers),
        welcome: (resumed) => {
          if (!resumed) void phone.connect()
        },
        answer: (sdp) => void phone.answered(sdp),
        refused: (about) => { if (about === 'offer') phone.refused() },
        desk: () => {},
      },
    })
    this.#signal.start()
  }

  /** key sends a key of the menu, as a tone in the line. */
  key(key: string): void { this.#phone?.tone(key) }

  levels(): { out: number; in: number } { return this.#phone?.levels() ?? { out: 0, in: 0 } }

  end(): void {
    if (this.state === 'calling' || this.state === 'talking') this.#over('ended')
  }

  async #ticket(signal: AbortSignal): Promise<string> {
    const first = this.#visitor === ''
    try {
      const given = await api.post<{ ticket: string; visitor: string }>('/call/ticket', first ? {} : { visitor: this.#visitor }, signal)
      this.#visitor = given.visitor
      return given.ticket
    } catch (why) {
      // A customer who cannot call now is told so, and not kept waiting.
      throw first && why instanceof Refusal && why.status === 429 ? new Refusal(why.code, 403) : why
    }
  }

  #gone(code: string): void {
    const refused = this.since === 0 && !['', 'closed', 'bye', 'no-visit'].includes(code)
    this.code = refused ? code : ''
    this.#over(refused ? 'failed' : 'ended')
  }

  #over(state: CallerState): void {
    this.state = state
    this.broken = false
    const [signal, phone] = [this.#signal, this.#phone]
    this.#signal = null
    this.#phone = null
    if (signal?.state === 'open' || signal?.state === 'lost' || signal?.state === 'connecting') signal.stop()
    phone?.close()
  }
}

