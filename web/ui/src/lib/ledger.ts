// The numbering of frames on the signalling socket, apart from the socket itself. Each direction counts 1, 2, 3 … for
// as long as a session lasts, over any number of sockets; what was not acknowledged is sent again after a resume.

export interface Numbered { seq: number; type: string; [field: string]: unknown }

// What the other side passes over (docs/softphone.md): numbers may not be left out.
const nothing = { type: 'candidate', candidate: null }

export class Ledger {
  #sent: number
  #received: number
  #open: Numbered[] = []

  constructor(received = 0) {
    this.#sent = 0
    this.#received = received
  }

  /** received is the last number of the other side's that was taken. */
  get received(): number { return this.#received }

  /** sent is the last number that was given. */
  get sent(): number { return this.#sent }

  /** open are the frames that were not acknowledged yet, oldest first. */
  get open(): readonly Numbered[] { return this.#open }

  /** number gives a frame the next number and keeps it until it is acknowledged. */
  number(type: string, body: Record<string, unknown> = {}): Numbered {
    const frame = { ...body, type, seq: ++this.#sent }
    this.#open.push(frame)
    return frame
  }

  /** withdrawn has what was not acknowledged yet be nothing, under its number: its time is over. */
  withdrawn(seq: number): void {
    this.#open = this.#open.map((f) => (f.seq === seq ? { ...nothing, seq } : f))
  }

  /** acknowledged lets go of all frames up to a number. */
  acknowledged(seq: number): void {
    this.#open = this.#open.filter((f) => f.seq > seq)
  }

  /** take says what becomes of a frame: it is new, was taken before, or one before it is missing. */
  take(seq: number): 'new' | 'old' | 'gap' {
    if (seq <= this.#received) return 'old'
    if (seq > this.#received + 1) return 'gap'
    this.#received = seq
    return 'new'
  }

  /**
   * resumed goes on with a session of which the other side took our frames up to `last`, and returns what to send
   * again. A page that was loaded anew has nothing open and counts on from there.
   */
  resumed(last: number): readonly Numbered[] {
    this.acknowledged(last)
    this.#sent = Math.max(last, this.#open.at(-1)?.seq ?? last)
    return this.#open
  }
}
