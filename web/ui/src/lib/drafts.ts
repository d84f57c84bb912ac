// Notes are never lost: every key press is kept in this browser at once, sent to the service when the typing pauses, and
// dropped here only when the service has said that it has them.

import { Refusal } from './api.ts'
import type { Notes } from './types.ts'

export type Saved = 'saved' | 'saving' | 'here'

export interface DraftOptions {
  store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>
  put(call: string, notes: Notes, leaving: boolean): Promise<void>
  saved(call: string, state: Saved): void
  pause?: number // between the last key press and sending, ms
}

const prefix = 'hotline.notes.'

export class Drafts {
  readonly #o: DraftOptions
  #timers = new Map<string, ReturnType<typeof setTimeout>>()
  #patience = new Map<string, number>()

  constructor(options: DraftOptions) {
    this.#o = options
  }

  /** write keeps notes and sends them soon. */
  write(call: string, notes: Notes): void {
    this.#o.store.setItem(prefix + call, JSON.stringify(notes))
    this.#o.saved(call, 'saving')
    this.#soon(call, this.#o.pause ?? 800)
  }

  /** draft is what the service has not got yet; null: nothing. */
  draft(call: string): Notes | null {
    try {
      return JSON.parse(this.#o.store.getItem(prefix + call) ?? 'null') as Notes | null
    } catch {
      return null
    }
  }

  /** flush sends whatever is kept, at once: the page is left, or the network is back. */
  async flush(leaving = false): Promise<void> {
    const calls: string[] = []
    for (let i = 0; i < this.#o.store.length; i++) {
      const key = this.#o.store.key(i)
      if (key?.startsWith(prefix)) calls.push(key.slice(prefix.length))
    }
    await Promise.all(calls.map((call) => this.#send(call, leaving)))
  }

  #soon(call: string, pause: number): void {
    clearTimeout(this.#timers.get(call))
    this.#timers.set(call, setTimeout(() => void this.#send(call, false), pause))
  }

  async #send(call: string, leaving: boolean): Promise<void> {
    clearTimeout(this.#timers.get(call))
    const text = this.#o.store.getItem(prefix + call)
    const notes = this.draft(call)
    if (!notes) return
    try {
      await this.#o.put(call, notes, leaving)
    } catch (error) {
      this.#o.saved(call, 'here')
      // What is refused for good is kept and not offered again and again: it is somebody else's call by now.
      if (error instanceof Refusal && [400, 403, 404, 413, 422].includes(error.status)) return
      const pause = Math.min(30_000, (this.#patience.get(call) ?? 1000) * 2)
      this.#patience.set(call, pause)
      this.#soon(call, pause)
      return
    }
    this.#patience.delete(call)
    // What was typed while this was on its way is sent with the next.
    if (this.#o.store.getItem(prefix + call) !== text) return
    this.#o.store.removeItem(prefix + call)
    this.#o.saved(call, 'saved')
  }
}
