// Figures for people's eyes. Durations are minutes and seconds, as on a phone's display.

/** clock is 1:05, or 1:02:05 from an hour on. */
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  const [h, m, r] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60), s % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(r)}` : `${m}:${two(r)}`
}

/** tenths is a duration in seconds, to a tenth: 1.5. */
export function tenths(ms: number): number { return Math.round(ms / 100) / 10 }

/** spoken is a duration as a datetime attribute and a screen reader want it: PT1M5S. */
export function iso(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  return `PT${Math.floor(s / 60)}M${s % 60}S`
}

/** Reader is in which language and zone somebody reads moments. The zone is the service's, whatever their computer's is. */
export interface Reader { language: string; zone: string }

/** zoneOf is a zone that this browser knows: one that it does not know would throw in the middle of a page. */
export function zoneOf(name: string | undefined): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name || 'UTC' }).resolvedOptions().timeZone
  } catch {
    return 'UTC'
  }
}

type Moment = string | number

function told(moment: Moment, { language, zone }: Reader, how: Intl.DateTimeFormatOptions): string {
  const at = new Date(moment)
  return Number.isNaN(at.getTime()) ? '' : new Intl.DateTimeFormat(language, { timeZone: zone, hourCycle: 'h23', ...how }).format(at)
}

const minute: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' }

/** date is a moment's day, as files are named: 2026-03-10. */
export function date(moment: Moment, zone: string): string { return told(moment, { language: 'sv', zone }, { dateStyle: 'short' }) }

/** hour is a moment's hour, from 0 to 23. */
export function hour(moment: Moment, zone: string): number { return Number(told(moment, { language: 'en', zone }, { hour: '2-digit' })) }

/** dial is what a clock on the wall shows: 15:04. */
export function dial(moment: Moment, zone: string): string { return told(moment, { language: 'en', zone }, minute) }

/** when is a moment: the hour today, the day otherwise, the year where it is another one. */
export function when(moment: Moment, now: number, reader: Reader): string {
  const [at, today] = [date(moment, reader.zone), date(now, reader.zone)]
  if (at === today) return told(moment, reader, minute)
  const day: Intl.DateTimeFormatOptions = { month: '2-digit', day: '2-digit' }
  if (at.slice(0, 4) !== today.slice(0, 4)) day.year = 'numeric'
  return told(moment, reader, day)
}

/** exactly is a moment with everything, for tooltips. */
export function exactly(moment: Moment, reader: Reader): string { return told(moment, reader, { dateStyle: 'medium', timeStyle: 'medium' }) }

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
