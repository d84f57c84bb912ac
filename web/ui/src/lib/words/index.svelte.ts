// The words in the reader's language. A page loads one catalogue, and the other only when the language is switched.

import { Refusal } from '../api.ts'
import type { Code } from '../types.ts'
import type { Words } from './zh-CN.ts'

export type Language = 'zh-CN' | 'en'

const load: Record<Language, () => Promise<Words>> = {
  'zh-CN': async () => (await import('./zh-CN.ts')).zh,
  en: async () => (await import('./en.ts')).en,
}

const kept = 'hotline.language'
const spoken = $state<{ words: Words | null; language: Language }>({ words: null, language: 'zh-CN' })

/** say is the catalogue: say().acts.hold. It may be used once speak has been waited for. */
export function say(): Words { return spoken.words! }

export function language(): Language { return spoken.language }

export function known(language: string | null | undefined): Language | null {
  if (!language) return null
  return language.toLowerCase().startsWith('zh') ? 'zh-CN' : language.toLowerCase().startsWith('en') ? 'en' : null
}

/** chosen is the language that was chosen here before, or that the browser prefers. */
export function chosen(): Language {
  return known(before()) ?? known(navigator.language) ?? 'zh-CN'
}

// In a page of another site a browser may keep nothing, and says so by throwing.
function before(): string | null {
  try {
    return localStorage.getItem(kept)
  } catch {
    return null
  }
}

function remember(language: Language): void {
  try {
    localStorage.setItem(kept, language)
  } catch {
    // It is chosen for this visit.
  }
}

export async function speak(language: Language, keep = false): Promise<void> {
  const words = await load[language]()
  spoken.words = words
  spoken.language = language
  document.documentElement.lang = language
  if (keep) remember(language)
}

/** why is a refusal as a person would say it. */
export function why(error: unknown): string {
  const words = say()
  if (!(error instanceof Refusal)) return words.refused.failed as string
  return codeSentence(error.code, error.values)
}

export function codeSentence(code: string, values: Record<string, unknown> = {}): string {
  const words = say()
  const sentence = (words.refused as Record<string, string | ((v: Record<string, unknown>) => string) | undefined>)[code]
  if (!sentence) return words.refusedOther(code)
  const told = { ...values }
  if (typeof told.state === 'string') told.state = named(words.state, told.state)
  return typeof sentence === 'string' ? sentence : sentence(told)
}

/** named is a code's name in a part of the catalogue; a team's own code, which no catalogue has, is its own name. */
export function named(part: Record<string, string>, code: string): string { return part[code] ?? code }

/** inWords is what something is called in the reader's language; '' where it has no name. */
export function inWords(names: Partial<Record<Language, string>> | undefined): string { return names?.[spoken.language] ?? '' }

/** outcomeOf is the name of what closed a call: the operator's, or ours. */
export function outcomeOf(id: string, codes: readonly Code[] | undefined): string {
  return codes?.find((c) => c.id === id)?.name || named(say().wrapUp.codes, id)
}

/** causeOf is why somebody is away: what they chose, or what the service found. */
export function causeOf(code: string): string { return named(say().reasons, named(say().causes, code)) }
