// What of the service's health somebody should know of.

import type { Health } from './types.ts'

const bad = new Set(['away', 'failing', 'down'])
const well = new Set(['ok', 'none', 'taken'])

/** unwell are the parts that are not as they should be, the worst first. What is none of the parts is the service's own trouble. */
export function unwell(health: Health): { part: string; code: string; down: boolean }[] {
  const parts = Object.entries(health)
    .filter((e): e is [string, string] => typeof e[1] === 'string' && !well.has(e[1]))
    .map(([part, code]) => ({ part, code, down: bad.has(code) }))
    .sort((a, b) => Number(b.down) - Number(a.down))
  return parts.length === 0 && health.degraded.length > 0 ? [{ part: 'service', code: 'degraded', down: false }] : parts
}

/** An apology is late when it begins more than half a second after its time (C3). */
export const lateApology = 500

/**
 * inTime is how many of a hundred callers were answered within the service level, of those who were answered or waited for
 * longer; null: nobody yet. Who gives up before has had no time to be served.
 */
export function inTime(q: { within_today: number; answered_today: number; unserved_today: number }): number | null {
  const counted = q.answered_today + q.unserved_today
  return counted > 0 ? Math.floor((100 * q.within_today) / counted) : null
}
