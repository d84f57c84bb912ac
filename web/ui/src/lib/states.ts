// Agents' states as the floor counts them. Each is in one group, whose first state is its mark and its word.

import type { AgentState } from './types.ts'

export const groups: readonly (readonly [AgentState, ...AgentState[]])[] = [
  ['ready'], ['ringing', 'reserved'], ['talking', 'hold', 'consult'], ['wrap-up'], ['paused'], ['unreachable'], ['offline'],
]
