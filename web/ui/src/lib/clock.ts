// The service's clock, as far as a browser can know it. Nearly every figure on the pages is a time since or until one of
// the service's moments, and agents' machines are minutes off.

export class Clock {
  #offset = 0
  #known = false
  readonly #local: () => number

  constructor(local: () => number = Date.now) {
    this.#local = local
  }

  /** now is the service's time in milliseconds since 1970. */
  now(): number { return this.#local() + this.#offset }

  /**
   * hear corrects the clock by a `now` that has just arrived. A message can only come late, so the service is at least
   * as far on as it says; small differences are the way's and are drawn in slowly, so that no figure jumps to and fro.
   */
  hear(now: string | undefined): void {
    const at = Date.parse(now ?? '')
    if (Number.isNaN(at)) return
    const offset = at - this.#local()
    const difference = offset - this.#offset
    if (!this.#known || Math.abs(difference) > 1000) this.#offset = offset
    else if (difference > 0) this.#offset = offset
    else this.#offset += difference / 50
    this.#known = true
  }
}

/** since is how many milliseconds ago a moment was, never negative; 0 where there is none. */
export function since(moment: string | null | undefined, now: number): number {
  const at = Date.parse(moment ?? '')
  return Number.isNaN(at) ? 0 : Math.max(0, now - at)
}

/** until is how many milliseconds are left; negative when the moment is past; 0 where there is none. */
export function until(moment: string | null | undefined, now: number): number {
  const at = Date.parse(moment ?? '')
  return Number.isNaN(at) ? 0 : at - now
}

/** A phone rings for 1 s every 5 s. */
export const ring = 5000

/**
 * rings says how full each of three dots is, from 0 to 1, given how long it is until the ringing ends. The clock runs
 * backwards from the end, because the end is the promise.
 */
export function rings(left: number): [number, number, number] {
  const gone = 3 * ring - left
  const full = (n: number) => Math.min(1, Math.max(0, (gone - n * ring) / ring))
  return [full(0), full(1), full(2)]
}

export type Warning = 'calm' | 'soon' | 'due'

/** held says how far a hold is towards its next apology: from 0 to 1, and amber from 25 of the 30 seconds. */
export function held(next: string, now: number): { part: number; left: number; warning: Warning } {
  const left = until(next, now)
  const part = Math.min(1, Math.max(0, (30_000 - left) / 30_000))
  return { part, left: Math.max(0, left), warning: left <= 0 ? 'due' : left <= 5000 ? 'soon' : 'calm' }
}
