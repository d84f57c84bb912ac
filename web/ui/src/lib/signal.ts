// The signalling socket between this page and the service's softphone: docs/softphone.md has its frames. It comes back
// by itself, resumes its session, and gives up only when another tab has taken the desk over or the service says so.

import { Refusal } from './api.ts'
import { Ledger, type Numbered } from './ledger.ts'
import type { Desk, Order } from './types.ts'

export const protocol = 'hotline.1'

export type SignalState = 'idle' | 'connecting' | 'open' | 'lost' | 'taken' | 'gone'

export interface IceServer { urls: string | string[]; username?: string; credential?: string }

export interface Heard {
  state(state: SignalState, code: string): void
  /** The relays to go by from now on: told before each welcome, and again before their credentials lapse. */
  ice(servers: IceServer[]): void
  welcome(resumed: boolean): void
  answer(sdp: string): void
  refused(about: string, code: string): void
  desk(desk: Desk): void
}

/** What of a WebSocket is used, so that tests can play one. */
export interface Socket {
  onopen: ((e: any) => void) | null
  onmessage: ((e: any) => void) | null
  onclose: ((e: any) => void) | null
  send(text: string): void
  close(code?: number): void
}

export interface SignalOptions {
  address: string
  /** ticket asks for leave to open a socket; one that is not waited for any more is aborted. */
  ticket(signal: AbortSignal): Promise<string>
  heard: Heard
  socket?: (address: string, protocol: string) => Socket
}

interface Waiting { resolve(): void; reject(why: Refusal): void; timer: ReturnType<typeof setTimeout> }

const patience = 10_000 // for the answer to an order, over a reconnection
const closed = { bad: 4400, token: 4401, taken: 4409, gone: 4410, gap: 4422, closing: 4503 }
// Between attempts. A service that restarts is back within a second or two, and its callers hear the tone until its pages
// are: so they ask often at first. A session waits 20 s for its tab.
const pauses = [100, 200, 300, 400, 500, 500, 500, 500, 1000, 2000, 3000]
// The service acknowledges within 100 ms. A socket that leaves a frame unanswered for so long is dead, though nobody has
// said so: the cable was pulled, or another network taken.
const acknowledgedWithin = 4000
const soon = 1500 // where there is a reason to think so
// How long an attempt may take.
const welcomedWithin = (attempt: number) => (attempt === 0 ? 5000 : Math.min(5000, 1000 + 250 * attempt))

const servers = (frame: Record<string, any>): IceServer[] => (Array.isArray(frame.ice) ? frame.ice : [])

export class Signal {
  readonly #o: SignalOptions
  #state: SignalState = 'idle'
  #socket: Socket | null = null
  #ledger = new Ledger()
  #session = ''
  #attempt = 0
  #turn = 0
  #retry: ReturnType<typeof setTimeout> | undefined
  #deaf: ReturnType<typeof setTimeout> | undefined
  #orders = new Map<string, Waiting>()
  #named = 0
  #welcomed = false
  // The socket of before was given up as dead. The browser's other connections, on which it would ask for a ticket, are dead
  // as well, and it would try them one after the other: so the session is resumed by its name.
  #dead = false
  #asked: AbortController | null = null

  constructor(options: SignalOptions) {
    this.#o = options
  }

  get state(): SignalState { return this.#state }

  /** start connects; after taken or gone it takes the desk anew. */
  start(): void {
    if (this.#state === 'taken' || this.#state === 'gone') this.#forget()
    this.#attempt = 0
    void this.#connect()
  }

  /** stop says goodbye: the line is given up at once instead of being kept for 20 s. */
  stop(): void {
    if (this.#welcomed) this.send('bye')
    this.#to('idle')
    this.#close()
    this.#forget()
  }

  /** hurry tries again now, because the network is said to be back. */
  hurry(): void {
    if (this.#state === 'lost') {
      this.#attempt = 0
      void this.#connect()
    }
  }

  /** send numbers a frame; without a socket it goes out as soon as there is one again. */
  send(type: string, body: Record<string, unknown> = {}): Numbered {
    const frame = this.#ledger.number(type, body)
    if (this.#welcomed) {
      this.#write(frame)
      this.#expect()
    }
    return frame
  }

  /**
   * doubt finds out whether the socket is alive, as the line is lost or the network is another one: a number that the
   * service has had is acknowledged again.
   */
  doubt(): void {
    if (!this.#welcomed || this.#ledger.sent === 0) return
    this.#write({ type: 'mic', seq: this.#ledger.sent })
    clearTimeout(this.#deaf)
    this.#deaf = undefined
    this.#expect(soon)
  }

  // A socket on which nothing is acknowledged is given up for another.
  #expect(within = acknowledgedWithin): void {
    if (this.#deaf !== undefined) return
    const socket = this.#socket
    this.#deaf = setTimeout(() => {
      this.#deaf = undefined
      if (this.#socket !== socket) return
      this.#dead = true
      this.#again()
    }, within)
  }

  #heard(): void {
    clearTimeout(this.#deaf)
    this.#deaf = undefined
    if (this.#ledger.open.length > 0) this.#expect()
  }

  /** do has an act done; a refusal is thrown with its code. */
  do(order: Order): Promise<void> {
    const id = `${Date.now().toString(36)}-${++this.#named}`
    return new Promise((resolve, reject) => {
      const { seq } = this.send('do', { id, order })
      // What has been told not to be done must not be done when the network is back.
      const timer = setTimeout(() => {
        this.#ledger.withdrawn(seq)
        this.#settle(id, new Refusal('no-answer'))
      }, patience)
      this.#orders.set(id, { resolve, reject, timer })
    })
  }

  async #connect(): Promise<void> {
    this.#close()
    const turn = this.#turn
    if (this.#state !== 'lost') this.#to('connecting')
    this.#retry = setTimeout(() => this.#again(), welcomedWithin(this.#attempt))
    let token: string | undefined
    if (!this.#dead || this.#session === '') {
      this.#asked = new AbortController()
      try {
        token = await this.#o.ticket(this.#asked.signal)
      } catch (why) {
        if (this.#turn !== turn) return
        // The service answered, and would answer the same again: only a network or a restart is worth waiting for.
        if (why instanceof Refusal && why.status >= 400 && why.status < 500 && why.status !== 429) this.#end('gone', why.code)
        else this.#again()
        return
      }
      if (this.#turn !== turn) return // stopped, or begun anew, meanwhile
    }
    const socket: Socket = (this.#o.socket ?? ((a, p) => new WebSocket(a, p)))(this.#o.address, protocol)
    this.#socket = socket
    socket.onopen = () => {
      const resume = this.#session ? { session: this.#session, last: this.#ledger.received } : {}
      socket.send(JSON.stringify({ type: 'hello', token, ...resume }))
    }
    socket.onmessage = (e) => {
      if (this.#socket === socket) this.#hear(e.data)
    }
    socket.onclose = (e) => {
      if (this.#socket !== socket) return
      this.#socket = null
      this.#close()
      if (e?.code === closed.token) this.#dead = false // the session is known no more: a ticket is needed
      if (e?.code === closed.taken) this.#end('taken', '')
      else if (e?.code === closed.gone) this.#end('gone', '')
      else if (this.#state === 'open' || this.#state === 'connecting' || this.#state === 'lost') this.#again(e?.code === closed.closing ? 'closing' : '')
    }
  }

  #again(code = ''): void {
    this.#close()
    this.#to('lost', code)
    const pause = pauses[Math.min(this.#attempt++, pauses.length - 1)]!
    this.#retry = setTimeout(() => void this.#connect(), pause * (0.8 + 0.4 * Math.random()))
  }

  #hear(data: unknown): void {
    let frame: Record<string, any>
    try {
      frame = JSON.parse(String(data))
    } catch {
      this.#socket?.close(closed.bad)
      return
    }
    if (frame.type === 'ack') {
      this.#ledger.acknowledged(Number(frame.seq))
      this.#heard()
      return
    }
    if (frame.type === 'welcome') {
      this.#welcome(frame)
      return
    }
    if (typeof frame.seq === 'number') {
      const taken = this.#ledger.take(frame.seq)
      if (taken === 'gap') {
        this.#socket?.close(closed.gap)
        return
      }
      this.#write({ type: 'ack', seq: this.#ledger.received })
      if (taken === 'old') return
    }
    this.#carry(frame)
  }

  #welcome(frame: Record<string, any>): void {
    const resumed = frame.resumed === true
    if (!resumed) {
      for (const id of [...this.#orders.keys()]) this.#settle(id, new Refusal('not-resumed'))
      this.#ledger = new Ledger()
      // The microphone's state and the like are told anew by whoever hears this welcome; old offers mean nothing now.
    }
    clearTimeout(this.#retry)
    this.#session = String(frame.session ?? '')
    this.#welcomed = true
    this.#dead = false
    this.#attempt = 0
    if (resumed) for (const open of this.#ledger.resumed(Number(frame.last ?? 0))) this.#write(open)
    this.#heard()
    this.#to('open')
    this.#o.heard.ice(servers(frame))
    this.#o.heard.welcome(resumed)
  }

  #carry(frame: Record<string, any>): void {
    const { heard } = this.#o
    switch (frame.type) {
      case 'answer': heard.answer(String(frame.sdp)); break
      case 'desk': heard.desk(frame.desk as Desk); break
      case 'ice': heard.ice(servers(frame)); break
      case 'done': this.#settle(String(frame.id)); break
      case 'refused':
        if (frame.id !== undefined) this.#settle(String(frame.id), new Refusal(String(frame.code), 409, '', '', frame.values ?? {}))
        else heard.refused(String(frame.about ?? ''), String(frame.code ?? ''))
        break
      case 'taken-over': this.#end('taken', ''); break
      case 'gone': this.#end('gone', String(frame.code ?? '')); break
    }
  }

  #end(state: 'taken' | 'gone', code: string): void {
    this.#to(state, code)
    this.#close()
    this.#forget()
  }

  #settle(id: string, why?: Refusal): void {
    const waiting = this.#orders.get(id)
    if (!waiting) return
    clearTimeout(waiting.timer)
    this.#orders.delete(id)
    if (why) waiting.reject(why)
    else waiting.resolve()
  }

  #write(frame: Numbered | { type: string; seq: number }): void {
    this.#socket?.send(JSON.stringify(frame))
  }

  #close(): void {
    this.#turn++
    this.#asked?.abort() // the connection on which it is asked may be dead, and a browser has few
    this.#asked = null
    clearTimeout(this.#retry)
    clearTimeout(this.#deaf)
    this.#deaf = undefined
    const socket = this.#socket
    this.#socket = null
    this.#welcomed = false
    socket?.close(1000)
  }

  #forget(): void {
    this.#session = ''
    this.#dead = false
    this.#ledger = new Ledger()
    for (const id of [...this.#orders.keys()]) this.#settle(id, new Refusal('not-resumed'))
  }

  #to(state: SignalState, code = ''): void {
    if (this.#state === state) return
    this.#state = state
    this.#o.heard.state(state, code)
  }
}
