// The form of a queue's rules, as data: what kind each is and within which limits. The limits are the service's own
// (web/openapi.yaml); it has the last word. Skills and their relaxing are lists, which hotline.yaml and `hotline queue`
// are better at; the form leaves them as they are.

import type { Rules } from './types.ts'

export const sections = ['wait', 'answer', 'after', 'level'] as const

export interface Field {
  key: Exclude<keyof Rules, 'skills' | 'relax'>
  section: (typeof sections)[number]
  kind: 'duration' | 'number' | 'choice' | 'yes'
  min?: number | string
  max?: number | string
  choices?: string[]
}

export const queueFields: readonly Field[] = [
  { key: 'max_waiting', section: 'wait', kind: 'number', min: 1, max: 100000 },
  { key: 'max_wait', section: 'wait', kind: 'duration', min: '10s', max: '24h' },
  { key: 'max_wait_to', section: 'wait', kind: 'choice', choices: ['message', 'call-back'] },
  { key: 'overflow_to', section: 'wait', kind: 'choice' },
  { key: 'overflow_after', section: 'wait', kind: 'duration', min: '0s', max: '1h' },
  { key: 'aging', section: 'wait', kind: 'duration', min: '1s', max: '24h' },
  { key: 'join_empty', section: 'wait', kind: 'yes' },
  { key: 'stay_empty', section: 'wait', kind: 'yes' },
  { key: 'unattended', section: 'wait', kind: 'duration', min: '10s', max: '1h' },
  { key: 'strategy', section: 'answer', kind: 'choice', choices: ['longest-idle', 'fewest-calls', 'round-robin', 'linear', 'ring-all'] },
  { key: 'ring_timeout', section: 'answer', kind: 'duration', min: '5s', max: '15s' },
  { key: 'ring_at_most', section: 'answer', kind: 'number', min: 1, max: 32 },
  { key: 'decline_pause', section: 'answer', kind: 'duration', min: '0s', max: '1h' },
  { key: 'misses_before_out', section: 'answer', kind: 'number', min: 1, max: 10 },
  { key: 'sticky', section: 'answer', kind: 'duration', min: '0s', max: '2160h' },
  { key: 'prefer_for', section: 'answer', kind: 'duration', min: '0s', max: '10m' },
  { key: 'wrap_up', section: 'after', kind: 'duration', min: '0s', max: '30m' },
  { key: 'wrap_up_at_most', section: 'after', kind: 'duration', min: '0s', max: '2h' },
  { key: 'service_level', section: 'level', kind: 'duration', min: '1s', max: '10m' },
  { key: 'service_target', section: 'level', kind: 'number', min: 1, max: 100 },
]

/** unsaved is what was changed and not saved yet, by account and queue: closing a form, or opening another, loses nothing. */
export const unsaved = new Map<string, Partial<Rules>>()
