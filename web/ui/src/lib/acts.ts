// Which key does what, as data. A slot shows the first of its acts that is possible now; its place and key never change,
// so that fingers learn them.

import type { Act, AgentState, Desk, DeskCall, Order } from './types.ts'

export type Slot = { key: string; acts: readonly (Act | 'duty')[] }

export const slots: readonly Slot[] = [
  { key: 'F2', acts: ['answer', 'rejoin'] },
  { key: 'F3', acts: ['mute', 'unmute'] },
  { key: 'F4', acts: ['hold', 'resume'] },
  { key: 'F6', acts: ['consult', 'cancel', 'drop'] },
  { key: 'F7', acts: ['transfer', 'complete'] },
  { key: 'F8', acts: ['duty', 'join'] },
  { key: 'F9', acts: ['keys'] },
  { key: 'F10', acts: ['hangup', 'decline'] },
]

/** What agents do with themselves and their page, rather than with a call, has Shift with its key. */
export type Own = 'ready' | 'pause' | 'sign-out' | 'notes' | 'extend' | 'devices'
export const own: Readonly<Record<Own, string>> = { ready: 'F2', pause: 'F3', 'sign-out': 'F4', notes: 'F6', extend: 'F7', devices: 'F9' }

const available: readonly AgentState[] = ['offline', 'paused', 'wrap-up', 'unreachable'] // whom it changes

/** may says whether that is possible now. */
export function may(what: Own, { agent, wrap_up }: Desk): boolean {
  if (what === 'ready') return available.includes(agent.state)
  if (what === 'extend') return wrap_up?.may_extend ?? false
  return (what !== 'pause' && what !== 'sign-out') || agent.state !== 'offline'
}

/**
 * possible says whether an act may be asked for now. While it rings the acts are the phone's, not the talk's; without a
 * call there is the way back to a caller who was hung up on and is still there.
 */
export function possible(act: Act | 'duty', call: DeskCall | null, back = ''): boolean {
  if (!call) return act === 'rejoin' && back !== ''
  if (act === 'answer' || act === 'decline') return call.scene === 'ringing'
  if (act === 'duty') return call.acts.includes('consult')
  return call.acts.includes(act)
}

/**
 * shown is the act that a slot stands for at this moment, and whether it can be done. Without a line of its own (deaf) the
 * page cannot answer: the agent's phone does.
 */
export function shown(slot: Slot, call: DeskCall | null, deaf = false, back = ''): { act: Act | 'duty'; can: boolean } {
  const act = slot.acts.find((a) => possible(a, call, back) && !(deaf && (a === 'answer' || a === 'decline')))
  return act ? { act, can: true } : { act: slot.acts[0]!, can: false }
}

const ofTheMicrophone = (act: Order['act'] | 'duty') => act === 'mute' || act === 'unmute'

/**
 * waits says whether an act has to wait for what is under way: a key that is pressed twice must not do a thing and undo it.
 * Only the keypad's keys may follow one another, and the microphone waits for nothing but itself.
 */
export function waits(act: Order['act'], under: readonly (Order['act'] | 'duty')[]): boolean {
  return act !== 'keys' && under.some((u) => u !== 'keys' && ofTheMicrophone(u) === ofTheMicrophone(act))
}

/** Acts that first ask for something: whom, which keys, why. */
export const asks: Partial<Record<Act | 'duty', 'consult' | 'transfer' | 'keys' | 'hangup'>> = {
  consult: 'consult', transfer: 'transfer', keys: 'keys', hangup: 'hangup',
}
