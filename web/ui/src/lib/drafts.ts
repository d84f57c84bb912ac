// Notes are never lost: every key press is kept in this browser at once, sent to the service when the typing pauses, and
// dropped here only when the service has said that it has them, or never will. What somebody else wrote of the call
// meanwhile stays: what was typed here is added to it.

import { Refusal } from './api.ts'
import type { Notes } from './types.ts'

export type Saved = 'saved' | 'saving' | 'here' | 'refused' | 'theirs'

/** Kept is what the service has, and its version. */
export interface Kept { notes: Notes; etag: string }

export interface DraftOptions {
  store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>
  /** Whose drafts they are: on a computer that is shared nobody sees, or sends, another's. */
  account: string
  /** put has notes kept in the place of those of a version, '' where none has been read, and returns the new version. */
  put(call: string, notes: Notes, etag: string, leaving: boolean): Promise<string>
  get(call: string): Promise<Kept>
  saved(call: string, state: Saved): void
  /** merged tells of notes that now have what somebody else wrote in them. */
  merged(call: string, notes: Notes): void
  pause?: number // between the last key press and sending, ms
}

const prefix = 'hotline.notes.'

/** merge adds what was typed here, since before was read, to what somebody else has made of it. */
export function merge(before: string, theirs: Notes, mine: Notes): Notes {
  const topic = mine.topic || theirs.topic
  const fields = topic === theirs.topic ? { ...theirs.fields, ...mine.fields } : { ...mine.fields }
  let text = mine.text
  if (theirs.text.includes(mine.text)) text = theirs.text
  else if (theirs.text !== before && !mine.text.includes(theirs.text)) {
    const added = mine.text.startsWith(before) ? mine.text.slice(before.length).trimStart() : mine.text
    text = `${theirs.text}\n${added}`.slice(0, 4000)
  }
  return { topic, fields, text }
}

export class Drafts {
  readonly #o: DraftOptions
  readonly #prefix: string
  #closed = false
  #timers = new Map<string, ReturnType<typeof setTimeout>>()
  #patience = new Map<string, number>()
  #known = new Map<string, Kept>()
  #refused = new Set<string>() // for good, as they are

  constructor(options: DraftOptions) {
    this.#o = options
    this.#prefix = `${prefix}${options.account}.`
  }

  /** read asks what the service has. What was typed here meanwhile is added to it. */
  async read(call: string): Promise<Notes> {
    const known = this.#known.get(call)
    const kept = await this.#o.get(call)
    const newer = this.#known.get(call)
    if (newer && newer !== known) return this.draft(call) ?? newer.notes // sent, or read, meanwhile
    this.#known.set(call, kept)
    const mine = this.draft(call)
    if (!mine) return kept.notes
    const both = merge(known?.notes.text ?? '', kept.notes, mine)
    this.#o.store.setItem(this.#prefix + call, JSON.stringify(both))
    this.#o.merged(call, both)
    this.#soon(call, this.#o.pause ?? 800)
    return both
  }

  /** write keeps notes and sends them soon. */
  write(call: string, notes: Notes): void {
    this.#refused.delete(call)
    this.#o.store.setItem(this.#prefix + call, JSON.stringify(notes))
    this.#o.saved(call, 'saving')
    this.#soon(call, this.#o.pause ?? 800)
  }

  /** draft is what the service has not got yet; null: nothing. */
  draft(call: string): Notes | null {
    try {
      return JSON.parse(this.#o.store.getItem(this.#prefix + call) ?? 'null') as Notes | null
    } catch {
      return null
    }
  }

  /** flush sends whatever is kept, at once: the page is left, or the network is back. */
  async flush(leaving = false): Promise<void> {
    await Promise.all(this.#calls().map((call) => this.#send(call, leaving)))
  }

  /** leave sends everything before somebody signs out, and fails where it cannot. What is refused for good is not kept. */
  async leave(): Promise<void> {
    await this.flush()
    for (const call of this.#refused) this.#drop(call)
    if (this.#calls().length) throw new Refusal('no-network')
  }

  /** close sends nothing more. What is not sent yet is, when its owner is here again. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#closed = true
  }

  #calls(): string[] {
    const calls: string[] = []
    for (let i = 0; i < this.#o.store.length; i++) {
      const key = this.#o.store.key(i)
      if (key?.startsWith(this.#prefix)) calls.push(key.slice(this.#prefix.length))
    }
    return calls
  }

  #drop(call: string): void {
    clearTimeout(this.#timers.get(call))
    this.#refused.delete(call)
    this.#patience.delete(call)
    this.#o.store.removeItem(this.#prefix + call)
  }

  #soon(call: string, pause: number): void {
    clearTimeout(this.#timers.get(call))
    if (this.#closed) return
    this.#timers.set(call, setTimeout(() => void this.#send(call, false), pause))
  }

  async #send(call: string, leaving: boolean, again = false): Promise<void> {
    clearTimeout(this.#timers.get(call))
    const text = this.#o.store.getItem(this.#prefix + call)
    const notes = this.draft(call)
    if (!notes) return
    try {
      const etag = await this.#o.put(call, notes, this.#known.get(call)?.etag ?? '', leaving)
      this.#known.set(call, { etag, notes })
    } catch (error) {
      await this.#failed(call, error, leaving, again)
      return
    }
    this.#patience.delete(call)
    // What was typed while this was on its way is sent with the next.
    if (this.#o.store.getItem(this.#prefix + call) !== text) return
    this.#o.store.removeItem(this.#prefix + call)
    this.#o.saved(call, 'saved')
  }

  async #failed(call: string, error: unknown, leaving: boolean, again: boolean): Promise<void> {
    const status = error instanceof Refusal ? error.status : 0
    // It is somebody else's call by now: nothing of its customer stays here.
    if (status === 403 || status === 404) {
      this.#drop(call)
      this.#o.saved(call, 'theirs')
      return
    }
    if ((status === 412 || status === 428) && !again && (await this.#merge(call))) {
      await this.#send(call, leaving, true)
      return
    }
    // What is refused for good is kept and not offered again and again.
    if ([400, 413, 422].includes(status)) {
      this.#refused.add(call)
      this.#o.saved(call, 'refused')
      return
    }
    this.#o.saved(call, 'here')
    const pause = Math.min(30_000, (this.#patience.get(call) ?? 1000) * 2)
    this.#patience.set(call, pause)
    this.#soon(call, pause)
  }

  async #merge(call: string): Promise<boolean> {
    try {
      await this.read(call)
      return this.draft(call) !== null
    } catch {
      return false
    }
  }
}
