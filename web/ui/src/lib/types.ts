// What the service sends and takes, as docs/api.md and web/openapi.yaml have it. Times are RFC 3339 by the service's
// clock; `_ms` are milliseconds; other durations are texts with a unit ("1m30s").

export type Language = 'zh-CN' | 'en'

export type Role = 'agent' | 'supervisor' | 'reviewer' | 'duty_manager' | 'admin'

export interface Me {
  account: string
  agent: string // "": this account has no desk
  number: string
  name: string
  roles: Role[]
  language: string
  timezone: string // of the service
  may: Resource[] // what they may use
  development: boolean
}

export type Resource =
  | 'own session' | 'own desk' | 'history' | 'wall' | 'floor' | 'queues' | 'queues, to change' | 'agents' | "agents' states"
  | 'agents, to change' | 'listening in' | 'accounts'

export type AgentState =
  | 'offline' | 'ready' | 'reserved' | 'ringing' | 'talking' | 'hold' | 'consult' | 'wrap-up' | 'paused' | 'unreachable'

export type Act =
  | 'answer' | 'decline' | 'hold' | 'resume' | 'mute' | 'unmute' | 'consult' | 'cancel' | 'join' | 'complete' | 'drop'
  | 'transfer' | 'keys' | 'hangup' | 'rejoin' | 'listen' | 'whisper' | 'barge' | 'leave'

export type Scene = 'ringing' | 'talking' | 'hold' | 'consulting' | 'three-way' | 'transferring'

export type TargetKind = 'agent' | 'queue' | 'directory' | 'duty'
export interface Target { kind: TargetKind; id?: string }

/** echo has the line send back what it is sent, for a moment: the device check's. */
export interface Order { act: Act | 'echo'; call?: string; target?: Target; keys?: string; reason?: string }

export type Moment = 'idle' | 'greeting' | 'hold' | 'apology' | 'transfer' | 'closing' | 'complaint'

export interface Third { kind: TargetKind; id?: string; name: string; state: 'ringing' | 'talking' | 'failed' | 'sent'; why?: 'no-answer' | 'declined' | 'unreachable' | 'no-way'; since: string }

export interface DeskCall {
  id: string
  kind: 'in' | 'third'
  scene: Scene
  number: string // masked; "": withheld
  region?: Partial<Record<Language, string>> // where the number was given out
  queue: { id: string; name: string }
  waited_ms: number
  times?: number // which call of this number it is, from 1
  path: string[] // in words
  began: string
  ring_ends: string | null
  answered: string | null
  muted: boolean
  hold: { since: string; apologies: number; next: string } | null
  third: Third | null
  monitor: '' | 'whisper' | 'join'
  acts: Act[]
}

export interface WrapUp { call: string; ends: string | null; codes: Code[]; may_extend: boolean }

export interface Desk {
  agent: {
    id: string; number: string; name: string; state: AgentState; reason: string; since: string
    then: '' | 'offline' | 'paused'; queues: string[]
  }
  call: DeskCall | null
  back: string // the call that the agent has left, and whose caller is still there; "": none
  wrap_up: WrapUp | null
  today: { calls: number; talk_ms: number; promises: number; open: number }
  phrase: { moment: Moment; late: boolean } // late: the caller has waited longer than one may without an apology
  link: { audio: 'none' | 'connecting' | 'ok' | 'lost'; caller_hears: 'talk' | 'tone' | '' }
  now: string
}

export interface Entry {
  kind: TargetKind
  id: string
  name: string // duty: ""
  number: string // an agent's, which callers are told
  state: AgentState | '' // an agent's; duty: of the one who is nearest to ready
  ready: number // a queue's ready agents; of others 1 if they can be rung now
}

export interface PastCall {
  call: string; at: string; result: string; reason: string; path: string; agent: string; waited: number; rating: number
  code: string; topic: string; notes: string
}
export interface History { number: string; calls: PastCall[]; more: number }

/** A call that the agent served today. */
export interface Served { call: string; at: string; number: string; queue: string; queue_name: string; talk_ms: number; code: string }

export interface Topic { id: string; name: string; fields: string[]; complaint: boolean }
/** What closes a call. Without a name of its own ("") the pages have a word for it. */
export interface Code { id: string; name: string }
export interface Forms { topics: Topic[]; codes: Code[] }
export interface Notes { topic: string; text: string; fields: Record<string, string> }

/** What agents say: by language, then by moment. */
export type Phrases = Record<string, Record<string, string[]>>

export interface QueueRow {
  id: string; name: string; waiting: number; oldest_ms: number; oldest_since: string | null; ready: number; talking: number; wrap_up: number
  paused: number; signed_in: number; arrived_today: number; answered_today: number; abandoned_today: number
  within_today: number // of those answered
  unserved_today: number // waited for longer than the service level, and nobody answered
  service_level: number // seconds
  target: number // per cent
}
export interface CallerRow {
  call: string; number: string; queue: string; position: number; since: string; offers: string[]; state: 'waiting' | 'ringing'
}
export interface AgentRow {
  id: string; number: string; name: string; state: AgentState; reason: string; out_of_service: boolean; since: string
  call: string; queue: string; queues: string[]; away: boolean; calls_today: number; talk_ms_today: number
  monitor: { by: string; mode: Exclude<Mode, 'leave'> } | null // who listens in: an agent
}
/** How the service is, part by part, in codes; "ok" and "none" are nothing to worry about. */
export interface Health { asterisk: string; journal: string; trunk: string; redis: string; calls: string; degraded: string[] }
export interface Wall {
  queues: QueueRow[]
  apologies: { worst_ms_today: number; count_today: number }
  promises: { due: number; late: number }
  health: Health
  day: { hour: number; arrived: number; answered: number; abandoned: number }[]
  agents: Pick<AgentRow, 'id' | 'number' | 'name' | 'state' | 'since'>[]
  now: string
}
export interface Floor extends Wall { callers: CallerRow[]; agents: AgentRow[] }

export type Mode = 'listen' | 'whisper' | 'barge' | 'leave'

export interface Rules {
  max_waiting: number; max_wait: string; max_wait_to: string; overflow_to: string; overflow_after: string; aging: string
  skills: Record<string, number>; relax: { after: string; skill?: string; by: number }[]
  strategy: string; ring_at_most: number; wrap_up: string; wrap_up_at_most: string; ring_timeout: string
  service_level: string; service_target: number; decline_pause: string; misses_before_out: number
  join_empty: boolean; stay_empty: boolean; unattended: string; sticky: string; prefer_for: string
}
