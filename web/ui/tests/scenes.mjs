// What the played service says in each scene. Numbers are masked as the real one masks them; nobody here has a name.
const now = () => Date.now()
const at = (ms) => new Date(now() + ms).toISOString()
const s = 1000
const min = 60 * s

const all = {
  agent: ['own session', 'own desk', 'history', 'wall'],
  supervisor: ['own session', 'own desk', 'history', 'wall', 'floor', 'queues', 'queues, to change', 'agents', "agents' states", 'agents, to change', 'listening in'],
  duty_manager: ['own session', 'own desk', 'history', 'wall', 'floor', 'queues', 'agents', "agents' states"],
}
const me = (role, agent, number, name) => ({ account: name, agent, number, name, roles: [role], language: '', may: all[role], development: true })
const agentMe = () => me('agent', '1001', '789', '客服789')
const supervisorMe = () => me('supervisor', '8001', '801', '主管')
const managerMe = () => me('duty_manager', '9001', '901', '值班经理')

const agent = (state, since, more = {}) => ({ id: '1001', number: '789', name: '客服789', state, reason: '', since: at(-since), then: '', queues: ['service'], ...more })

const desk = (more) => ({
  agent: agent('talking', 2 * min + 14 * s), call: null, back: '', wrap_up: null, today: { calls: 17, talk_ms: 4_200_000, promises: 2, open: 1 },
  phrase: { moment: 'idle' }, link: { audio: 'ok', caller_hears: 'talk' }, now: at(0), ...more,
})
const call = (more) => ({
  id: '20260310-093000-ABCDEF', kind: 'in', scene: 'talking', number: '138****5678', region: '北京', queue: { id: 'service', name: '人工服务' },
  waited_ms: 72_000, times: 2, path: ['网络报修'], began: at(-4 * min), ring_ends: null, answered: at(-2 * min - 14 * s), muted: false, hold: null, third: null,
  monitor: '', acts: ['hold', 'mute', 'consult', 'transfer', 'keys', 'hangup'], ...more,
})
const notes = {
  topic: 'fault', text: '昨晚八点起全屋断网,已重启光猫两次,光信号灯红色闪烁。', fields: { 地址: '朝阳区某小区 3 号楼', 故障现象: '光猫红灯' },
}

export const phrases = {
  'zh-CN': {
    idle: ['请保持耳机佩戴,准备接听下一位客户。'], greeting: ['您好,{number}号为您服务,请问有什么可以帮您?', '抱歉,让您久等了。{number}号为您服务,请讲。'],
    hold: ['请您稍等,我为您查询一下,请不要挂机。'], apology: ['非常抱歉,让您久等了。'], transfer: ['您的问题由我的同事为您处理更合适,我为您转接,请不要挂机。'],
    closing: ['请问还有其他可以帮您的吗?', '感谢您的来电,祝您生活愉快,再见。'], complaint: ['您反映的情况我已经详细记录,我们会在承诺的时间内给您答复。'],
  },
  en: {
    idle: ['Keep your headset on; the next caller comes to you.'], greeting: ['Good day, agent {number} at your service. How can I help you?', 'I am sorry that you had to wait. Agent {number} at your service.'],
    hold: ['One moment please while I look this up. Please stay on the line.'], apology: ['I am very sorry that you had to wait.'], transfer: ['A colleague can help you better with this. I am putting you through; please stay on the line.'],
    closing: ['Is there anything else I can do for you?', 'Thank you for calling. Goodbye.'], complaint: ['I have written down what you told me in detail, and we will answer you within the time we promise.'],
  },
}
export const forms = {
  topics: [
    { id: 'fault', name: '故障报修', fields: ['地址', '故障现象', '发生时间'] }, { id: 'bill', name: '账单', fields: ['户号', '账期'] },
    { id: 'complaint', name: '投诉', fields: ['事由', '诉求'] }, { id: 'question', name: '咨询', fields: [] },
  ],
  codes: ['resolved', 'follow-up', 'complaint'],
}
export const targets = [
  { kind: 'agent', id: '1002', name: '客服790', number: '790', state: 'ready', ready: 1 },
  { kind: 'agent', id: '1003', name: '客服791', number: '791', state: 'talking', ready: 0 },
  { kind: 'agent', id: '1004', name: '客服792', number: '792', state: 'paused', ready: 0 },
  { kind: 'queue', id: 'service', name: '人工服务', number: '', state: '', ready: 1 },
  { kind: 'queue', id: 'repairs', name: '故障报修', number: '', state: '', ready: 0 },
  { kind: 'directory', id: 'repair-team', name: '抢修班', number: '', state: '', ready: 1 },
  { kind: 'duty', id: '', name: '', number: '', state: 'ready', ready: 1 },
]
export const history = () => ({
  number: '138****5678', more: 3,
  calls: [
    { call: 'c1', at: at(-20 * 24 * 60 * min), result: 'served', reason: '', path: '网络报修', agent: '790', waited: 21, rating: 2, code: 'follow-up', topic: 'fault', notes: '报修后三天无人上门,客户要求今天给答复。已转抢修班。' },
    { call: 'c2', at: at(-34 * 24 * 60 * min), result: 'served', reason: '', path: '账单查询', agent: '789', waited: 4, rating: 5, code: 'resolved', topic: 'bill', notes: '' },
    { call: 'c3', at: at(-61 * 24 * 60 * min), result: 'abandoned', reason: '', path: '', agent: '', waited: 95, rating: 0, code: '', topic: '', notes: '' },
  ],
})
export const served = () => [
  { call: 'd1', at: at(-9 * min), number: '186****2210', queue: '人工服务', talk_ms: 184_000, code: 'resolved' },
  { call: 'd2', at: at(-31 * min), number: '010****8800', queue: '人工服务', talk_ms: 421_000, code: 'follow-up' },
  { call: 'd3', at: at(-52 * min), number: '', queue: '故障报修', talk_ms: 66_000, code: 'complaint' },
  { call: 'd4', at: at(-77 * min), number: '139****0042', queue: '人工服务', talk_ms: 251_000, code: '' },
]
export const rules = {
  max_waiting: 200, max_wait: '0s', max_wait_to: 'message', overflow_to: '', overflow_after: '0s', aging: '15m0s', skills: {}, relax: [], strategy: 'longest-idle', ring_at_most: 8,
  wrap_up: '10s', wrap_up_at_most: '10m0s', ring_timeout: '15s', service_level: '20s', service_target: 80, decline_pause: '30s', misses_before_out: 2, join_empty: false, stay_empty: false,
  unattended: '1m0s', sticky: '0s', prefer_for: '15s',
}

const row = (id, number, state, since, more = {}) => ({
  id, number, name: `客服${number}`, state, reason: '', out_of_service: false, since: at(-since), call: '', queue: '', queues: ['service'], away: false, calls_today: 12, talk_ms_today: 3_100_000, ...more,
})
const queue = (id, name, more) => ({
  id, name, waiting: 0, oldest_ms: 0, oldest_since: null, ready: 0, talking: 0, wrap_up: 0, paused: 0, signed_in: 0, arrived_today: 0, answered_today: 0, abandoned_today: 0,
  within_today: 0, service_level: 20, target: 80, ...more,
})
const hours = (busy) => Array.from({ length: 24 }, (_, hour) => {
  const arrived = busy && hour >= 7 && hour <= 15 ? [6, 14, 31, 42, 38, 22, 19, 27, 12][hour - 7] : 0
  const abandoned = Math.floor(arrived / 9)
  return { hour, arrived, answered: arrived - abandoned, abandoned }
})
const health = (more = {}) => ({ asterisk: 'ok', journal: 'ok', trunk: 'ok', redis: 'none', calls: 'taken', degraded: [], ...more })
const floor = (more) => ({
  queues: [
    queue('service', '人工服务', { waiting: 4, oldest_since: at(-134 * s), ready: 0, talking: 5, paused: 2, signed_in: 8, answered_today: 188, abandoned_today: 23, within_today: 131 }),
    queue('repairs', '故障报修', { waiting: 1, oldest_since: at(-12 * s), ready: 2, talking: 1, signed_in: 4, answered_today: 41, abandoned_today: 2, within_today: 38, target: 90, service_level: 5 }),
    queue('english', 'English desk', { ready: 1, signed_in: 1, answered_today: 3, within_today: 3 }),
  ],
  callers: [
    { call: 'w1', number: '138****5678', queue: 'service', position: 1, since: at(-134 * s), offers: [], state: 'waiting' },
    { call: 'w2', number: '186****2210', queue: 'service', position: 2, since: at(-81 * s), offers: [], state: 'waiting' },
    { call: 'w3', number: '', queue: 'service', position: 3, since: at(-40 * s), offers: [], state: 'waiting' },
    { call: 'w4', number: '010****8800', queue: 'service', position: 4, since: at(-9 * s), offers: [], state: 'waiting' },
    { call: 'w5', number: '139****0042', queue: 'repairs', position: 1, since: at(-12 * s), offers: ['1011', '1012'], state: 'ringing' },
  ],
  agents: [
    row('1001', '789', 'talking', 134 * s, { call: '20260310-093000-ABCDEF', queue: 'service' }), row('1002', '790', 'hold', 71 * s, { call: 'x2', queue: 'service' }),
    row('1003', '791', 'wrap-up', 8 * s, { queue: 'service' }), row('1004', '792', 'paused', 12 * min, { reason: 'lunch' }), row('1005', '793', 'talking', 512 * s, { call: 'x5', queue: 'service' }),
    row('1006', '794', 'paused', 44 * min, { out_of_service: true }), row('1007', '795', 'unreachable', 3 * min), row('1008', '796', 'talking', 33 * s, { call: 'x8', queue: 'repairs' }),
    row('1009', '797', 'consult', 20 * s, { call: 'x9', queue: 'service' }), row('1010', '798', 'talking', 301 * s, { call: 'x10', queue: 'service' }),
    row('1011', '799', 'ringing', 4 * s, { queue: 'repairs' }), row('1012', '800', 'ringing', 4 * s, { queue: 'repairs' }), row('1013', '802', 'ready', 6 * min, { queues: ['english'] }),
    row('1014', '803', 'offline', 130 * min), row('1015', '804', 'offline', 900 * min),
  ],
  apologies: { worst_ms_today: 420, count_today: 212 }, promises: { due: 6, late: 1 }, health: health({ trunk: 'away' }), day: hours(true), now: at(0), ...more,
})

export const scenes = {
  'signed-out': () => ({ me: null }),
  check: () => ({ me: agentMe(), empty: true, desk: desk({ agent: agent('offline', 0), today: { calls: 0, talk_ms: 0, promises: 0, open: 0 } }) }),
  idle: () => ({ me: agentMe(), desk: desk({ agent: agent('ready', 200 * s), link: { audio: 'ok', caller_hears: '' } }) }),
  first: () => ({ me: agentMe(), empty: true, desk: desk({ agent: agent('paused', 200 * s, { reason: 'lunch' }), today: { calls: 0, talk_ms: 0, promises: 0, open: 0 } }) }),
  ringing: () => ({ me: agentMe(), desk: desk({ agent: agent('ringing', 8 * s), call: call({ scene: 'ringing', ring_ends: at(6.5 * s), answered: null, acts: [] }), phrase: { moment: 'apology' } }) }),
  talking: () => ({ me: agentMe(), notes, desk: desk({ call: call(), phrase: { moment: 'greeting' } }) }),
  muted: () => ({ me: agentMe(), notes, desk: desk({ call: call({ muted: true, acts: ['hold', 'unmute', 'consult', 'transfer', 'keys', 'hangup'], monitor: 'whisper' }), phrase: { moment: 'greeting' } }) }),
  hold: () => ({ me: agentMe(), notes, desk: desk({ agent: agent('hold', 57 * s), call: call({ scene: 'hold', hold: { since: at(-57 * s), apologies: 1, next: at(3.6 * s) }, acts: ['resume', 'mute', 'consult', 'transfer', 'hangup'] }), phrase: { moment: 'hold' }, link: { audio: 'ok', caller_hears: 'tone' } }) }),
  consulting: () => ({ me: agentMe(), notes, desk: desk({ agent: agent('consult', 20 * s), call: call({ scene: 'consulting', hold: { since: at(-20 * s), apologies: 0, next: at(10 * s) }, third: { kind: 'agent', id: '1002', name: '客服790', state: 'talking', since: at(-9 * s) }, acts: ['mute', 'cancel', 'join', 'complete', 'keys'] }), phrase: { moment: 'transfer' }, link: { audio: 'ok', caller_hears: 'tone' } }) }),
  'three-way': () => ({ me: agentMe(), notes, desk: desk({ call: call({ scene: 'three-way', third: { kind: 'directory', id: 'repair-team', name: '抢修班', state: 'talking', since: at(-30 * s) }, acts: ['mute', 'drop', 'complete', 'keys'] }), phrase: { moment: 'transfer' } }) }),
  'wrap-up': () => ({ me: agentMe(), notes, desk: desk({ agent: agent('wrap-up', 4 * s), back: '20260310-093000-ABCDEF', wrap_up: { call: '20260310-093000-ABCDEF', ends: at(26 * s), codes: ['resolved', 'follow-up', 'complaint', '装维上门'], may_extend: true }, phrase: { moment: 'closing' }, link: { audio: 'ok', caller_hears: '' } }) }),
  away: () => ({ me: agentMe(), away: true, notes, desk: desk({ call: call(), phrase: { moment: 'greeting' } }) }),
  taken: () => ({ me: agentMe(), taken: true, desk: desk({ agent: agent('ready', 200 * s) }) }),
  refused: () => ({ me: agentMe(), notes, refuse: { code: 'not-available', values: { state: 'paused' } }, desk: desk({ call: call(), phrase: { moment: 'greeting' } }) }),
  floor: () => ({ me: supervisorMe(), floor: floor({}), desk: desk({}) }),
  'floor-quiet': () => ({ me: supervisorMe(), floor: floor({ queues: [], callers: [], agents: [], promises: { due: 0, late: 0 }, health: health(), day: hours(false) }), desk: desk({}) }),
  wall: () => ({ me: supervisorMe(), floor: floor({}) }),
  'wall-quiet': () => ({ me: supervisorMe(), floor: floor({ queues: [queue('service', '人工服务', { ready: 4, talking: 3, answered_today: 96, within_today: 91, abandoned_today: 2 })], promises: { due: 2, late: 0 }, health: health() }) }),
  manager: () => ({ me: managerMe(), desk: desk({ agent: { ...agent('ready', 11 * min), number: '901', name: '值班经理' }, today: { calls: 3, talk_ms: 900_000, promises: 1, open: 0 }, link: { audio: 'ok', caller_hears: '' } }) }),
  'manager-ringing': () => ({ me: managerMe(), notes, desk: desk({ agent: agent('ringing', 3 * s), call: call({ kind: 'third', scene: 'ringing', ring_ends: at(11 * s), answered: null, acts: [], third: { kind: 'agent', id: '1001', name: '客服789', state: 'talking', since: at(-3 * s) } }) }) }),
  'manager-talking': () => ({ me: managerMe(), notes, desk: desk({ call: call({ kind: 'in' }), phrase: { moment: 'complaint' } }) }),
}
