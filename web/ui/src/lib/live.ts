// Live views over server-sent events: the first event is the whole view, then what changed. A connection that
// breaks comes back by itself and goes on where it was.

import { root } from './api.ts'

export type LiveState = 'connecting' | 'open' | 'lost'

export interface Patch { [part: string]: unknown }

/** What changed in a table: rows that are new or other ones now, whole, and the ids of those that are gone. */
interface Rows { put: Record<string, unknown>[]; gone: string[] }

// What rows are known by, where it is not their id.
const keys: Record<string, string> = { callers: 'call', day: 'hour' }

const isRows = (change: unknown): change is Rows =>
  typeof change === 'object' && change !== null && Array.isArray((change as Rows).put) && Array.isArray((change as Rows).gone)

/**
 * patched is a view with what has changed: rows of tables, and facts, which are told whole. Rows that did not change stay
 * the same objects, so that nothing is drawn again.
 */
export function patched<T extends object>(view: T, patch: Patch): T {
  const next: Record<string, unknown> = { ...(view as Record<string, unknown>) }
  for (const [part, change] of Object.entries(patch)) {
    const before = next[part]
    next[part] = isRows(change) ? merged(Array.isArray(before) ? before : [], keys[part] ?? 'id', change) : change
  }
  return next as T
}

function merged(rows: Record<string, unknown>[], key: string, { put, gone }: Rows): Record<string, unknown>[] {
  const changed = new Map(put.map((row) => [String(row[key]), row]))
  const left = new Set(gone)
  const out: Record<string, unknown>[] = []
  for (const row of rows) {
    const id = String(row[key])
    if (!left.has(id)) out.push(changed.get(id) ?? row)
    changed.delete(id)
  }
  return [...out, ...changed.values()]
}

export interface LiveHeard<T> {
  view(view: T): void
  state(state: LiveState): void
  /** Whoever looks may do so no longer: signed out, or the role was taken away. */
  gone(): void
}

/** A service that says nothing for so long (ms) is not heard any more: its sign of life comes every 15 s. */
const deadAfter = 35_000

/** live follows a view until the returned function is called. */
export function live<T extends object>(name: string, heard: LiveHeard<T>): () => void {
  let source: EventSource
  let view: T | null = null
  let ended = false
  let retry: ReturnType<typeof setTimeout> | undefined
  let attempt = 0
  let alive: ReturnType<typeof setTimeout> | undefined

  // A connection that leads nowhere any more is not noticed by the browser.
  const hear = () => {
    clearTimeout(alive)
    alive = setTimeout(() => {
      source.close()
      heard.state('lost')
      open()
    }, deadAfter)
  }
  const open = () => {
    clearTimeout(retry)
    hear()
    source = new EventSource(`${root}/live?view=${encodeURIComponent(name)}`)
    source.onopen = () => {
      attempt = 0
      hear()
      heard.state('open')
    }
    source.addEventListener('beat', hear)
    source.addEventListener('whole', (e) => {
      hear()
      view = JSON.parse((e as MessageEvent<string>).data) as T
      heard.view(view)
    })
    source.addEventListener('patch', (e) => {
      hear()
      if (!view) return
      view = patched(view, JSON.parse((e as MessageEvent<string>).data) as Patch)
      heard.view(view)
    })
    source.addEventListener('gone', () => {
      ended = true
      clearTimeout(alive)
      source.close()
      heard.gone()
    })
    source.onerror = () => {
      if (ended) return
      heard.state('lost')
      // The browser comes back by itself unless the service refused; then it is asked again, ever more patiently.
      if (source.readyState === EventSource.CLOSED) {
        retry = setTimeout(open, Math.min(10_000, 500 * 2 ** attempt++))
      }
    }
  }
  heard.state('connecting')
  open()
  return () => {
    ended = true
    clearTimeout(retry)
    clearTimeout(alive)
    source.close()
  }
}
