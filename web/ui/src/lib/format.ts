// Figures for people's eyes. Durations are minutes and seconds, as on a phone's display.

/** clock is 1:05, or 1:02:05 from an hour on. */
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  const [h, m, r] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60), s % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(r)}` : `${m}:${two(r)}`
}

/** spoken is a duration as a datetime attribute and a screen reader want it: PT1M5S. */
export function iso(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  return `PT${Math.floor(s / 60)}M${s % 60}S`
}

const sameDay = (a: Date, b: Date) => a.toDateString() === b.toDateString()

/** when is a moment: the hour today, the day otherwise, the year where it is another one. */
export function when(moment: string, now: number, language: string): string {
  const at = new Date(moment)
  if (Number.isNaN(at.getTime())) return ''
  const today = new Date(now)
  const time: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hour12: false }
  if (sameDay(at, today)) return new Intl.DateTimeFormat(language, time).format(at)
  const day: Intl.DateTimeFormatOptions = { month: '2-digit', day: '2-digit' }
  if (at.getFullYear() !== today.getFullYear()) day.year = 'numeric'
  return new Intl.DateTimeFormat(language, day).format(at)
}

/** exactly is a moment with everything, for tooltips. */
export function exactly(moment: string, language: string): string {
  const at = new Date(moment)
  if (Number.isNaN(at.getTime())) return ''
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium', hour12: false }).format(at)
}

/** seconds of "1m30s", "500ms", "0": what the rules' durations are counted in. NaN: it is none. */
export function seconds(duration: string): number {
  if (duration.trim() === '0') return 0
  const units: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 }
  let rest = duration.trim()
  let total = 0
  if (rest === '') return NaN
  while (rest) {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)/.exec(rest)
    if (!match) return NaN
    total += Number(match[1]) * (units[match[2]!] ?? NaN)
    rest = rest.slice(match[0].length)
  }
  return total
}

/** duration writes seconds as the rules have them: 90 is 1m30s. */
export function duration(seconds: number): string {
  const s = Math.round(seconds)
  const [h, m, r] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60), s % 60]
  return `${h ? `${h}h` : ''}${m ? `${m}m` : ''}${r || !(h || m) ? `${r}s` : ''}`
}
