// What a page asks for by itself: never twice when the service has answered, and otherwise again after a pause. Without
// that, what runs whenever something changes would ask again because it has just been refused.

import { Refusal } from './api.ts'

const pause = 5000

/** trying does something until it succeeds, or is refused for good, after ever longer pauses. What it returns gives it up. */
export function trying(what: () => Promise<void>): () => void {
  let over = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let next = 1000
  const once = async () => {
    try {
      await what()
    } catch (error) {
      if (over || (error instanceof Refusal && error.final)) return
      timer = setTimeout(() => void once(), next)
      next = Math.min(30_000, 2 * next)
    }
  }
  void once()
  return () => { over = true; clearTimeout(timer) }
}

export class Tries {
  #what = ''
  #again = 0

  /** may says whether this may be asked for now (ms); something else may at once. */
  may(what: string, now: number): boolean { return what !== this.#what || now >= this.#again }

  /** tried keeps what was asked for last, and whether it was answered, by yes or by no. */
  tried(what: string, now: number, answered: boolean): void {
    this.#what = what
    this.#again = answered ? Infinity : now + pause
  }
}
