// The quiet bar: of everything that may be wrong, the one thing to say, what the caller hears meanwhile, and what to do.

import type { Line, Mic } from './phone.ts'
import type { SignalState } from './signal.ts'

export interface Trouble {
  signal: SignalState
  code: string // why signalling is gone
  line: Line
  mic: Mic | null
  blocked: boolean
  quiet: boolean // nothing has come over the line for a moment, though it does not count as broken yet
  calling: boolean // there is a call that is not just ringing
  hears: 'talk' | 'tone' | ''
}

export type Say =
  | 'signal' | 'signalTalk' | 'audio' | 'audioTone' | 'restart' | 'taken' | 'gone' | 'denied' | 'none' | 'noneTalk' | 'muted' | 'silent' | 'blocked'
export type Help = 'again' | 'take' | 'reconnect' | 'unblock' | 'allow' | ''

export interface Bar { say: Say; caller: 'talk' | 'tone' | 'nobody'; help: Help }

/** bar is null while all is well. What keeps the caller from being heard is before what keeps the buttons from working. */
export function bar(t: Trouble): Bar | null {
  const caller = !t.calling || t.hears === '' ? 'nobody' : t.hears
  if (t.signal === 'taken') return { say: 'taken', caller: 'nobody', help: 'take' }
  if (t.signal === 'gone') return { say: 'gone', caller: 'nobody', help: 'reconnect' }
  if (t.mic === 'denied') return { say: 'denied', caller, help: 'allow' }
  if (t.mic === 'none') return { say: t.calling ? 'noneTalk' : 'none', caller, help: '' }
  if (t.line === 'lost') return { say: t.calling ? 'audioTone' : 'audio', caller: 'nobody', help: '' }
  if (t.signal === 'lost') {
    if (t.code === 'closing') return { say: 'restart', caller, help: 'again' }
    // Said apart: with the media up, an agent who believes the talk to be over would hang up on the caller.
    // Where the line is quiet as well, nobody knows what the caller hears, and nothing is claimed.
    return t.calling && t.line === 'ok' && !t.quiet ? { say: 'signalTalk', caller: 'nobody', help: 'again' } : { say: 'signal', caller: 'nobody', help: 'again' }
  }
  if (t.blocked) return { say: 'blocked', caller, help: 'unblock' }
  if (t.mic === 'muted') return { say: 'muted', caller: 'nobody', help: '' }
  if (t.mic === 'silent') return { say: 'silent', caller: 'nobody', help: '' }
  return null
}
