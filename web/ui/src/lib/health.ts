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

/** inTime is how many of a hundred answered callers were so within the service level; null: nobody was answered yet. */
export function inTime(q: { within_today: number; answered_today: number }): number | null {
  return q.answered_today > 0 ? Math.floor((100 * q.within_today) / q.answered_today) : null
}
