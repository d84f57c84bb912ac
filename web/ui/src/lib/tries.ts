// What a page asks for by itself: never twice when the service has answered, and otherwise again after a pause. Without
// that, what runs whenever something changes would ask again because it has just been refused.

const pause = 5000

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
