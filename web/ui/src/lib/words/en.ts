import type { Words } from './zh-CN.ts'

const text = (v: unknown) => (v === undefined || v === null ? '' : String(v))
const s = (n: number, one: string, more = `${one}s`) => `${n} ${n === 1 ? one : more}`
const nth = (n: number) => `${n}${n % 100 >= 11 && n % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th')}`

export const en: Words = {
  language: 'English',
  hotline: 'Hotline',
  skip: 'Skip to content',

  title: {
    signIn: 'Sign in', desk: 'Desk', floor: 'Floor', wall: 'Wall', manager: 'Duty manager', call: 'Call us',
  },

  common: {
    save: 'Save', cancel: 'Cancel', close: 'Close', back: 'Back', retry: 'Try again', undo: 'Undo', copy: 'Copy', copied: 'Copied',
    search: 'Type to filter', nothingFound: 'Nothing found', none: 'none', unknown: 'unknown', loading: 'Loading…', export: 'Export table',
    optional: 'optional', changed: 'changed', today: 'today', of: (a, b) => `${a}/${b}`, named: (name, value) => `${name}: ${value}`, and: (a, b) => `${a}, ${b}`,
    people: (n) => s(n, 'person', 'people'), calls: (n) => s(n, 'call'), times: (n) => s(n, 'time'),
    seconds: (n) => `${n} s`, minutes: (n) => `${n} min`, hours: (n) => `${n} h`,
  },

  signIn: {
    welcome: 'Sign in', account: 'Account', password: 'Password', submit: 'Sign in', working: 'Signing in…', oidc: 'Sign in with your company account',
    show: 'Show password', hide: 'Hide password',
  },

  menu: {
    language: 'Language', theme: 'Light', auto: 'System', light: 'Day', dark: 'Night', signOut: 'Sign out', pages: 'Pages',
    signOutNow: 'You take no calls once you have signed out', devices: 'Devices',
  },

  state: {
    offline: 'Offline', ready: 'Ready', reserved: 'Call coming', ringing: 'Ringing', talking: 'Talking', hold: 'On hold', consult: 'Consulting',
    'wrap-up': 'Wrap-up', paused: 'Break', unreachable: 'Phone unreachable',
    nobody: 'nobody is there',
  },
  outOfService: 'Taken out of service', away: 'other site',
  thenState: { '': '', offline: 'offline once this call is wrapped up', paused: 'break once this call is wrapped up' },
  reasons: { rest: 'Short rest', lunch: 'Meal', training: 'Training', meeting: 'Meeting', paperwork: 'Paperwork', personal: 'Personal' },
  causes: {
    'microphone denied': 'Microphone not allowed', 'microphone none': 'No microphone', 'star code': 'By phone', monitoring: 'listening in', 'no-answer': 'Did not answer', declined: 'Rest after declining', unreachable: 'Phone unreachable', 'phone gone': 'Phone gone, or no page open', 'service-gone': 'The phone may still ring, calls come soon',
  },
  states: {
    ready: 'Ready', pause: 'Break', signIn: 'Start taking calls', signOut: 'Go offline', choose: 'My state', noAgent: 'The agent of your account is not there, or not any more. Please ask your administrator.', reason: 'Why a break', since: 'for',
    undo: (was) => `Undo, back to “${was}”`, changedTo: (now) => `Now “${now}”`,
    noMicrophone: 'No microphone: you cannot take calls yet',
  },

  day: {
    title: 'My day', calls: 'Calls', talk: 'Talk', promises: 'Promises', open: 'Open', served: 'Today’s calls',
    nothing: 'No calls yet today. A call appears above.', waitingForCall: 'Waiting for a call', notReady: 'You are not taking calls',
    nextPromise: 'Promises', noPromise: 'No promise is due', promisesDue: (n) => `${s(n, 'promise')} to keep`,
    mine: 'My calls', time: 'Time', number: 'Number', queue: 'Queue', talked: 'Talk', outcome: 'Outcome',
    average: 'Average talk',
  },

  call: {
    incoming: 'Incoming call', from: (n) => `Call from ${n}`, third: 'A colleague asks', withheld: 'Number withheld',
    waited: (t) => `waited ${t}`, nth: (n) => (n === 1 ? 'first call' : `${nth(n)} call`), path: 'Menu', to: 'to',
    ring: (n) => `ring ${n}`, rings: 'Rings', ringEnds: (n) => `${n} s left`,
    talked: 'talking for', noCall: 'No call', sayLate: 'Begin with “Sorry to have kept you waiting”', controls: 'Call controls', ended: 'The call has ended',
    back: ': the caller is back, please answer', there: 'You have hung up, and the caller is still there. If that was a mistake, take them back now.', third_ringing: (who) => `Ringing ${who}`, third_talking: (who) => `Talking to ${who}`,
    third_failed: (who) => `${who} was not reached`, why: { 'no-answer': 'no answer', declined: 'busy or declined', unreachable: 'unreachable', 'no-way': 'unreachable' }, third_sent: (who) => `Sent by ${who}`, threeWay: (who) => `You, the caller and ${who} are talking`, colleague: 'Colleague',
  },
  scene: {
    ringing: 'Ringing', talking: 'Talking', hold: 'On hold', consulting: 'Consulting', 'three-way': 'Three-way', transferring: 'Transferring',
  },
  monitor: { whisper: 'A supervisor is whispering to you; the caller cannot hear it', join: 'A supervisor has joined the call' },

  acts: {
    answer: 'Answer', decline: 'Decline', hold: 'Hold', resume: 'Take back', mute: 'Mute', unmute: 'Unmute', consult: 'Consult', cancel: 'Stop consulting',
    join: 'Three-way', complete: 'Complete', drop: 'Drop third', transfer: 'Transfer', duty: 'Duty mgr', keys: 'Keypad', hangup: 'End', rejoin: 'Rejoin caller',
    listen: 'Listen', whisper: 'Whisper', barge: 'Join', leave: 'Stop listening',
  },

  hold: {
    left: (n) => `apology in ${n} s`, due: 'apologising now', soon: 'Take the call back, or say a word to the caller',
    hears: (n) => (n === 0 ? 'The caller hears: hold tone' : `The caller hears: hold tone, ${n === 1 ? '1 apology' : `${n} apologies`} so far`), held: (t) => `on hold for ${t}`,
    ring: (n) => `${n} s until the next apology`,
  },

  pick: {
    consult: 'Consult whom?', transfer: 'Transfer to whom?', filter: 'Name, number, queue or initials', agent: 'Agents', queue: 'Queues', directory: 'Directory', duty: 'Duty manager',
    ask: 'Consult', give: 'Transfer', waiting: (n) => `${n} waiting`, readyAgents: (n) => `${n} ready`, empty: 'There is nobody to choose',
    hint: '↑↓ choose, Enter confirms, Esc goes back', told: 'The caller hears a sentence about the transfer, then the hold tone',
  },

  keypad: { title: 'Keypad', sent: 'Keyed', hint: 'You can type on your keyboard too', key: (k) => `Key ${k}` },

  hangUp: {
    title: 'The customer should hang up first. Do you have to end the call?', note: 'The caller hears the closing words and is asked for a rating.', reason: 'Reason', confirm: 'End the call',
    reasons: { 'customer-asked': 'The customer asked me to', 'no-answer': 'The customer has long been silent', abuse: 'Abuse, warned as the rules say', 'wrong-number': 'Wrong number', test: 'Test call' },
  },

  phrase: {
    title: 'Words for now',
    moment: { idle: 'Idle', greeting: 'Greeting', hold: 'Asking to wait', apology: 'Apology', transfer: 'Transfer', closing: 'Closing', complaint: 'Complaint' },
    more: 'Other words', none: 'No words are set for this moment',
  },

  notes: {
    title: 'Notes', topic: 'Topic', text: 'Problem and key points', placeholder: 'Problem, name, address, number. Repeat the key points.', saved: 'Saved', saving: 'Saving…',
    here: 'Kept on this computer, sent when the network is back', theirs: 'You no longer have that call: the last change was not kept', refused: 'This cannot be saved: please change it', none: 'Notes are written here once a call has begun', chooseTopic: 'Choose a topic',
  },

  wrapUp: {
    title: 'Wrap-up', left: (t) => `${t} left`, code: 'How this call ended', done: 'Done', more: 'One more minute', chosen: 'chosen', late: 'time is up',
    codes: {
      resolved: 'Resolved', 'follow-up': 'Follow up', complaint: 'Complaint', transferred: 'Transferred', 'wrong-number': 'Wrong number', nuisance: 'Nuisance call', 'no-speech': 'Nobody spoke',
    },
  },

  customer: {
    title: 'Customer', number: 'Number', region: 'Region', times: 'Calls', queue: 'Queue', waited: 'Waited', menu: 'Menu', idle: 'Customer and history are shown with a call',
    history: 'History', noHistory: 'Nothing yet from this number', more: (n) => `and ${n} before them`, by: (who) => `agent ${who}`, rating: (n) => `rated ${n}`,
    failed: 'The history cannot be read now',
    result: { served: 'Served', abandoned: 'Abandoned', message: 'Left a message', 'turned-away': 'Turned away', informed: 'Heard the menu', lost: 'Cut off', failed: 'Not connected', '': 'Under way' },
  },

  devices: {
    title: 'Before your first call, try your headset', microphone: 'Microphone', speaker: 'Earphones', ring: 'Rings on', system: 'System default', level: 'Microphone level', in: 'Other side’s level', test: 'Test',
    speak: 'Say a few words: the green bar should move.', record: 'Record 3 s and listen', recording: 'Recording, please speak…', playing: 'Playing…', heard: 'I heard it well, start',
    notHeard: 'Not clear', again: 'Choose another device and try again.', allow: 'Allow the microphone', allowWhy: 'Your browser will ask for the microphone: choose “Allow”.',
    line: 'Line to the hotline', skip: 'Later', lineState: { none: 'not set up', connecting: 'being set up…', ok: 'good', lost: 'broken, coming back' },
    throughLine: 'This went to the hotline and came back: callers hear you like this.', onlyHere: 'There is no line to the hotline yet: this is a recording of this computer alone.',
    numbered: (n) => `Device ${n}`, ringTest: 'Test ring', notify: 'Notify me of incoming calls',
  },

  bar: {
    talk: 'The caller is still talking with you.', tone: 'The caller hears the hold tone.', nobody: '',
    signal: 'No connection to the service, reconnecting.', signalTalk: 'No connection to the service, reconnecting. You can go on talking; only the buttons do not work for now.',
    audio: 'The audio line broke and is coming back.', audioTone: 'The audio line broke and is coming back. The caller hears the hold tone; please wait.',
    restart: 'The service is restarting. Calls are kept.', taken: 'Your desk is open in another window; nothing rings here.', takeBack: 'Work here',
    gone: 'The desk’s connection has ended.', reconnect: 'Connect again', denied: 'The browser does not allow the microphone, so you cannot take calls. Click the icon left of the address and allow it.',
    none: 'There is no microphone, so you cannot take calls. Please plug in your headset.', noneTalk: 'The microphone is gone and the caller cannot hear you. Please plug in your headset.',
    muted: 'Your microphone is muted by the system or the headset: the caller cannot hear you. Use the switch on your headset.', silent: 'Nothing comes from your microphone: the caller may not hear you. Check headset and volume.',
    blocked: 'The browser has stopped the sound.', unblock: 'Click to hear the caller', live: 'Figures are not being updated, reconnecting.', again: (n) => `trying again in ${n} s`, now: 'Try now',
    apart: (t) => `for ${t}`,
  },

  floor: {
    queues: 'Queues', callers: 'Callers waiting', agents: 'Agents', day: 'The day by hour', health: 'System', apologies: 'Apologies', promises: 'Promises',
    queue: 'Queue', waiting: 'Waiting', oldest: 'Oldest', ready: 'Ready', talking: 'Talking', paused: 'Break', answered: 'Answered', abandoned: 'Abandoned', within: 'In time',
    target: (p, n) => `target ${p}% / ${n} s`, below: 'below target', number: 'Number', position: 'Place', waited: 'Waited', offers: 'Offers', stateOf: 'State', agent: 'Agent', since: 'For',
    noCallers: 'Nobody is waiting', noAgents: 'There are no agents yet', noQueues: 'There are no queues yet', noDay: 'No calls yet today', held: 'Rows stay while you point', filter: 'Filter',
    open: (what) => `Open ${what}`, callState: { waiting: 'Waiting', ringing: 'Ringing' },
    detailNone: 'Click a row for details', left: 'left', set: 'Set to', setState: 'Set state', monitorTitle: 'Listen in', monitoring: (who, how) => `${how}: ${who}`, watched: (who, how) => `${how}: ${who}`, phoneRings: 'Answer your phone',
    audited: 'Listening in is recorded in the audit trail.', connect: 'Listening in uses your headset', noCall: 'Not in a call', rules: 'Change rules', call: 'Call', queuesOf: 'Serves', callsToday: 'Calls today',
    worst: 'worst', due: 'due', late: 'late', onTime: 'on time', arrived: 'Arrived', hour: (h) => `${h}:00`,
    trend: (a, b, c) => `Today ${a} calls arrived, ${b} were answered, ${c} left`,
  },
  health: {
    part: { asterisk: 'Telephony', journal: 'Journal', trunk: 'Trunk', redis: 'Shared queue', calls: 'Calls', service: 'Service' },
    code: { ok: 'good', away: 'away', late: 'late', failing: 'failing', alone: 'on its own', draining: 'no new ones', degraded: 'impaired' },
  },

  rules: {
    title: (q) => `Rules of ${q}`, saved: 'The rules are in force', note: 'In force at once, for those who wait too.', stale: 'Somebody has just changed these rules. They have been read again, with your changes kept: look at them and save again.', discard: 'Discard',
    nothing: 'Nothing changed', duration: (a, b) => `A duration such as 30s or 1m30s; ${a} to ${b}`, sections: { wait: 'Waiting', answer: 'Offering', after: 'Afterwards', level: 'Service level' },
    wrong: 'Write it as 30s, 1m30s or 2h', never: '0s: never',
    name: {
      max_waiting: 'Most who may wait', max_wait: 'Longest wait', max_wait_to: 'Then offer', overflow_to: 'Overflows into', overflow_after: 'Overflow after', aging: 'A step of priority is worth',
      strategy: 'Who is offered a call', ring_at_most: 'Phones ringing at once', ring_timeout: 'Ringing time', decline_pause: 'Pause after declining', misses_before_out: 'Misses before out of service',
      wrap_up: 'Wrap-up', wrap_up_at_most: 'Longest wrap-up', service_level: 'In time means within', service_target: 'Target, per cent', join_empty: 'May wait with nobody online',
      stay_empty: 'Stay when all have left', unattended: 'Told when all are out for', sticky: 'Remember the last agent', prefer_for: 'Wait for them', skills: 'Skills needed', relax: 'Relaxing',
    },
    choice: {
      message: 'a message', 'call-back': 'a call back', 'longest-idle': 'longest idle', 'fewest-calls': 'fewest calls', 'round-robin': 'in turn', linear: 'in list order', 'ring-all': 'ring all', none: 'nowhere',
    },
  },

  wall: {
    waiting: 'Waiting', oldest: 'Oldest wait', ready: 'Ready', talking: 'Talking', paused: 'On break', level: 'Service level', answered: 'Answered', abandoned: 'Abandoned',
    apology: 'Worst apology', promisesDue: 'Promises due', promisesLate: 'Promises late', health: 'System', allWell: 'good', act: 'act now', broken: 'below standard', noAgents: 'nobody ready',
  },

  manager: {
    quiet: 'No calls for you now', quietNote: 'When a call is passed to you, a briefing comes first, then the button to accept it.', briefing: 'Briefing', accept: 'Accept', refuse: 'Not now', from: 'from', waited: 'The customer has waited',
    topic: 'About', agentSays: 'The agent’s notes', noNotes: 'The agent has left no notes yet', call: 'Duty phone', onDuty: 'On duty', offDuty: 'Off duty', goOn: 'Go on duty', goOff: 'Go off duty',
  },

  caller: {
    one: 'One click, and you talk to us.', button: 'Call now', calling: 'Connecting…', connected: 'Connected', end: 'Hang up', ended: 'The call has ended. Thank you for calling.', again: 'Call again',
    keypad: 'Keypad', allow: 'Your browser will ask for the microphone: choose “Allow”.', denied: 'Without the microphone we cannot talk. Allow it in your browser, then try again.',
    none: 'There is no microphone. Connect one, then try again.', failed: 'The call could not be put through. Please try again later.', lost: 'The network broke and is coming back. Please keep this page open.',
    mic: 'We cannot hear you. See whether your microphone is muted, or speak up.', recorded: 'To assure our quality of service, this call is recorded.', hangUpNote: 'Closing this page hangs up.',
  },

  refused: {
    'no-network': 'The service cannot be reached. Check your network.', 'no-answer': 'The service did not answer. Please try again.', 'not-resumed': 'The connection broke meanwhile. Look at the call to see whether it was done.',
    'no-call': 'That call has ended.', impossible: 'That cannot be done now.', 'unknown-target': 'There is no such person or queue.',
    'not-available': (v) => `They cannot take a call now${v.state ? ` (${text(v.state)})` : ''}.`, self: 'You cannot transfer to yourself.', 'bad-keys': 'Only digits, * and #.',
    'not-now': 'The service cannot do it now. Please try later.', 'no-microphone': 'No microphone: you cannot take calls yet. Allow it in the browser, and plug your headset in.', busy: 'Too much at once: a moment please, and try again.', failed: 'It did not work. Please try again.', 'bad-order': 'The service does not understand this.',
    credentials: 'Account and password do not go together, or the account is locked.', throttled: (v) => `Too many attempts. Please try again in ${text(v.seconds)} s.`, 'sso-denied': 'Your company account was not accepted. Please try again.', 'sso-away': 'Your company’s sign-in cannot be reached. Please try later.', 'sso-unknown': 'Your company account is not known here yet.',
    'not-your-call': 'You do not have that call.', 'cross-origin': 'This came from another site and was refused.',
    token: 'Please sign in.', talking: 'You cannot sign out during a call.', 'no-agent-line': 'Your account has no agent, and cannot listen in.', session: 'You have been signed out. Please sign in again.', role: 'Your account may not do that.', forbidden: 'Your account may not do that.', 'no-desk': 'Your account has no desk.',
    'no-agent': 'There is no such agent.', 'no-queue': 'There is no such queue.', 'no-resource': 'There is no such page.', method: 'That cannot be done here.',
    conflict: 'That cannot be done as things are.', stale: 'Somebody has just changed it. Look at it first.', exists: 'It is there already.', condition: 'Read it before you change it.', limit: 'That is beyond the limits.', contradiction: 'That contradicts other rules.',
    value: 'What was entered is not right.', 'out-of-range': 'That is beyond the limits.', 'unknown-field': 'There is an unknown field.', 'no-value': 'Something is missing.', incomplete: 'Something is missing.', 'no-json': 'The service could not read it.', twice: 'Something is there twice.',
    query: 'The search is not right.', 'too-large': 'That is too long.', 'media-type': 'The service could not read it.', stopping: 'The service is restarting. One moment.', internal: 'Something went wrong in the service; its log says what.',
    'no-visit': 'The call has ended.', 'visits-full': 'All lines for calls from the web are busy. Please try again later, or call by phone.',
    closed: 'The service ended this connection.', slow: 'The network of this computer is too slow.', lost: 'Away for too long: the line was given up.', 'no-visitors': 'This hotline takes no calls from the web.', visits: 'Too many calls have come from your network. Please try again in ten minutes.',
    'http-502': 'The service is restarting. One moment.', 'http-503': 'The service is restarting. One moment.', 'http-429': 'Too many requests. One moment.',
  },
  refusedOther: (code) => `It was not done (${code}).`,
}
