// The desk of whoever is signed in: what the service says of it, the line of this browser, and the acts.

import { tick } from 'svelte'
import { asks, may, own, possible, shown, slots, waits, type Own } from './acts.ts'
import { api, Refusal, root } from './api.ts'
import { app } from './app.svelte.ts'
import { bar, type Bar } from './bar.ts'
import { until } from './clock.ts'
import { Drafts, type Saved } from './drafts.ts'
import { live } from './live.ts'
import { Phone, recorded, type Line, type Mic } from './phone.ts'
import { Signal, type SignalState } from './signal.ts'
import { hearAt, ringing, speaker } from './sound.ts'
import { trying } from './tries.ts'
import type { Act, Desk, DeskCall, Forms, History, Moment, Notes, Order, Phrases, Target } from './types.ts'
import { codeSentence, language, say } from './words/index.svelte.ts'

export type Panel = '' | 'consult' | 'transfer' | 'keys' | 'hangup' | 'devices' | 'pause'

const keptMic = 'hotline.mic'
const keptPick = 'hotline.picked' // of this tab alone
const tested = 'hotline.tested'
const ringsOn = 2000 // after a call's time to ring is over, for want of better news

/** unanswered says that nobody knows whether something was done. */
const unanswered = (error: unknown) => error instanceof Refusal && ['no-answer', 'not-resumed'].includes(error.code)

export class DeskStore {
  desk = $state<Desk | null>(null)
  signalState = $state<SignalState>('idle')
  code = $state('')
  line = $state<Line>('none')
  /** null: nobody knows yet; unasked: and nobody will before the person has the browser be asked. */
  mic = $state<Mic | null>(null)
  unasked = $state(false)
  blocked = $state(false)
  /** When the connection was lost, by this machine's clock. */
  apart = $state(0)
  #panel = $state<Panel>('')
  /** What was asked for and is not done yet, shown as pressed at once. */
  pressed = $state<Order['act'][]>([])
  saved = $state<Record<string, Saved>>({})
  /** null: not read yet; unknown: it cannot be read. */
  history = $state<History | 'unknown' | null>(null)
  forms = $state<Forms | null>(null)
  phrases = $state<Phrases | null>(null)
  /** What the call is about, as its notes say. */
  topic = $state('')
  /** How the call that is wrapped up ended, as far as its agent has said. */
  picked = $state<{ call: string; code: string }>(JSON.parse(sessionStorage.getItem(keptPick) ?? '{"call":"","code":""}'))
  tested = $state(localStorage.getItem(tested) === '1')
  /** The account's agent is not there: removed, or never was. */
  missing = $state(false)
  /** No line of this browser: the agent has a phone, and the page is its buttons. */
  deaf = $state(false)

  readonly phone: Phone
  readonly signal: Signal
  /** Notes to which what somebody else wrote was added. */
  merged = $state<{ call: string; notes: Notes } | null>(null)
  readonly drafts: Drafts
  #ends: (() => void)[] = []
  #ring: (() => void) | null = null
  #rung = ''
  #seen = ''
  #opened = false
  #listening: Promise<Mic> | null = null
  #notification: Notification | null = null
  #quiet: ReturnType<typeof setTimeout> | undefined
  #before: Element | null = null // what had the focus before a panel opened
  #shut = '' // the call whose microphone was closed, though the service has not said that it knows

  constructor() {
    this.phone = new Phone({
      mic: (state) => {
        this.mic = state
        this.unasked = false
        this.signal.send('mic', { state })
      },
      line: (state) => {
        if (state === 'lost' && this.line !== 'lost' && this.signalState !== 'lost') this.apart = Date.now()
        this.line = state
        if (state === 'lost') this.signal.doubt()
      },
      offer: (sdp) => this.signal.send('offer', { sdp }),
      candidate: (candidate) => this.signal.send('candidate', { candidate }),
      blocked: (is) => { this.blocked = is },
    })
    this.signal = new Signal({
      address: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${root}/desk/signal`,
      ticket: async (signal) => (await api.post<{ ticket: string }>('/desk/ticket', {}, signal)).ticket,
      heard: {
        state: (state, code) => this.#went(state, code),
        ice: (servers) => this.phone.relays(servers),
        welcome: (resumed) => void this.#welcome(resumed),
        answer: (sdp) => void this.phone.answered(sdp),
        refused: (about) => { if (about === 'offer') this.phone.refused() },
        desk: (desk) => this.#take(desk),
      },
    })
    this.drafts = new Drafts({
      store: localStorage,
      account: app.me?.account ?? '',
      put: async (call, notes, etag, leaving) =>
        (await api.ask('PUT', `/desk/notes/${encodeURIComponent(call)}`, notes, etag ? { 'If-Match': etag } : {}, leaving)).etag,
      get: async (call) => {
        const { body, etag } = await api.ask<Notes>('GET', `/desk/notes/${encodeURIComponent(call)}`)
        return { notes: body, etag }
      },
      saved: (call, state) => {
        this.saved[call] = state
        if (state === 'theirs') app.tell(say().notes.theirs) // whoever wrote them may look at another call by now
      },
      merged: (call, notes) => { this.merged = { call, notes } },
    })
  }

  get bar(): Bar | null {
    const call = this.desk?.call
    const trouble = bar({
      signal: this.signalState, code: this.code, line: this.#heard(), mic: this.deaf ? 'ok' : this.mic, blocked: this.blocked,
      quiet: app.now > 0 && this.phone.quietFor() > 2000, calling: call != null && call.scene !== 'ringing', hears: this.desk?.link.caller_hears ?? '',
    })
    // A connection that comes back within a second is not worth a word.
    if (trouble && (trouble.help === 'again' || trouble.say.startsWith('audio')) && Date.now() - this.apart < 1000 && app.now) return null
    return trouble
  }

  get panel(): Panel { return this.#panel }
  set panel(panel: Panel) {
    if (panel === this.#panel) return
    if (this.#panel === '') this.#before = document.activeElement
    this.#panel = panel
    if (panel === '') void this.#returned()
  }

  // Who had the focus in a panel that is gone has it where it was before, and not at the top of the page.
  async #returned(): Promise<void> {
    await tick()
    const lost = !document.activeElement || document.activeElement === document.body
    if (lost && this.#before?.isConnected) (this.#before as HTMLElement).focus?.()
    this.#before = null
  }

  // What the service hears counts as well: a line may be broken in one direction only.
  #heard(): Line {
    return this.line === 'ok' && this.signalState === 'open' && this.desk?.link.audio === 'lost' ? 'lost' : this.line
  }

  /** able says whether calls may be taken here: not without a microphone. One that was not asked for yet is asked for then. */
  get able(): boolean { return this.deaf || (this.mic !== 'denied' && this.mic !== 'none') }

  /** talking says that somebody would be cut off if this page went away: not where another tab has the desk. */
  get talking(): boolean { return !this.deaf && this.signalState !== 'taken' && this.desk?.call != null && this.desk.call.scene !== 'ringing' }

  /** open takes the desk, and returns what gives it up. */
  open(): () => void {
    void this.#begin()
    const flush = () => void this.drafts.flush(true)
    const hurry = () => {
      this.signal.hurry()
      this.signal.doubt()
      void this.drafts.flush()
    }
    const unblock = () => { if (this.blocked) void this.phone.unblock() }
    addEventListener('pagehide', flush)
    addEventListener('online', hurry)
    addEventListener('pointerdown', unblock)
    addEventListener('keydown', unblock)
    const stay = (e: BeforeUnloadEvent) => { if (this.talking) e.preventDefault() }
    addEventListener('beforeunload', stay)
    app.busy = () => this.talking
    app.leave = async () => {
      if (!(await this.#closeCall())) throw new Refusal('no-network')
      await this.drafts.leave()
    }
    this.#ends.push(Phone.onAllowed(() => { if (this.mic === 'denied') void this.#listen() }))
    this.#ends.push(() => {
      app.busy = () => false
      app.leave = async () => {}
      removeEventListener('beforeunload', stay)
      removeEventListener('pagehide', flush)
      removeEventListener('online', hurry)
      removeEventListener('pointerdown', unblock)
      removeEventListener('keydown', unblock)
    })
    return () => this.close()
  }

  close(): void {
    void this.drafts.flush(true)
    this.drafts.close()
    this.#silence()
    this.signal.stop()
    this.phone.close()
    for (const end of this.#ends.splice(0)) end()
  }

  /** press does what a slot's key or button stands for now. */
  press(act: Act | 'duty'): void {
    if (!possible(act, this.desk?.call ?? null, this.desk?.back)) return
    const ask = asks[act]
    if (ask) return this.toggle(ask)
    if (act === 'duty') void this.do({ act: 'consult', target: { kind: 'duty' } })
    else if (act === 'rejoin') void this.do({ act, call: this.desk!.back })
    else void this.do({ act })
  }

  /** typed is what a page with a desk does with a key, wherever the focus is. */
  typed = (e: KeyboardEvent): void => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return
    if (e.shiftKey) {
      if (!this.ownKey(e.key, e.repeat)) return
    } else if (e.key === 'Escape' && this.panel) this.panel = ''
    else if (!this.key(e.key, e.repeat)) return
    e.preventDefault()
  }

  /** ownKey answers a key with Shift, for what agents do with themselves; true: it was one of ours. */
  ownKey(key: string, held = false): boolean {
    const what = (Object.keys(own) as Own[]).find((o) => own[o] === key)
    if (what && !held) this.own(what)
    return what !== undefined
  }

  /** own does that, where it is possible now. */
  own(what: Own): void {
    const desk = this.desk
    if (!desk || !may(what, desk)) return
    const does: Record<Own, () => void> = {
      ready: () => void this.state(desk.agent.state === 'offline' ? 'sign-in' : 'ready'),
      pause: () => this.toggle('pause'),
      'sign-out': () => void this.state('sign-out'),
      notes: () => document.querySelector<HTMLElement>('.notes textarea')?.focus(),
      extend: () => void this.state('extend'),
      devices: () => { if (!this.deaf) this.toggle('devices') },
    }
    does[what]()
  }

  /** toggle opens a panel, or closes it. */
  toggle(panel: Panel): void { this.panel = this.panel === panel ? '' : panel }

  /** key answers a function key; true: it was one of ours. One that is held down was pressed once. */
  key(key: string, held = false): boolean {
    const slot = slots.find((s) => s.key === key)
    if (!slot) return false
    const { act, can } = shown(slot, this.desk?.call ?? null, this.deaf, this.desk?.back)
    if (can && !held) this.press(act)
    return true
  }

  async do(order: Order): Promise<boolean> {
    if (waits(order.act, this.pressed)) return false
    const call = this.desk?.call
    if (call && order.call === undefined) order.call = call.id
    this.pressed.push(order.act)
    if (order.act === 'mute') this.phone.open(false)
    if (order.act === 'unmute') this.phone.open(true)
    if (order.act === 'answer' || order.act === 'decline') this.#silence()
    try {
      if (this.deaf) await api.post('/desk/do', order)
      else await this.signal.do(order)
      if (order.act !== 'keys') this.panel = ''
      return true
    } catch (error) {
      // Who has closed the microphone believes so: it is not opened again where nobody knows what the service did.
      if (order.act === 'mute' && unanswered(error)) this.#shut = order.call ?? ''
      else this.phone.open(!(this.desk?.call?.muted ?? false))
      app.sorry(error)
      return false
    } finally {
      this.pressed.splice(this.pressed.indexOf(order.act), 1)
    }
  }

  consult(target: Target): Promise<boolean> { return this.do({ act: 'consult', target }) }
  transfer(target: Target): Promise<boolean> { return this.do({ act: 'transfer', target }) }

  /** state changes the agent's own state, and offers the way back. */
  async state(what: 'sign-in' | 'ready' | 'pause' | 'sign-out' | 'extend', reason = '', undoable = true): Promise<void> {
    const before = this.desk?.agent
    const available = what === 'sign-in' || what === 'ready'
    if (available && !this.deaf && this.mic === null) await this.#listen() // who has put off the check is asked now
    if (available && !this.able) {
      app.sorry(new Refusal('no-microphone'))
      return
    }
    if (what !== 'extend' && !(await this.#closeCall())) return
    try {
      await api.post('/desk/state', { do: what, ...(reason && { reason }), ...(what === 'extend' && { for: '1m' }) })
    } catch (error) {
      app.sorry(error)
      return
    }
    const words = say()
    const back = before && undoable ? { ready: 'ready', paused: 'pause', offline: 'sign-out' }[before.state as string] : undefined
    if (what === 'extend' || !before || !back) return
    const now = { 'sign-in': words.state.ready, ready: words.state.ready, pause: words.state.paused, 'sign-out': words.state.offline }[what]
    app.tell(words.states.changedTo(now), () => void this.state(back as 'ready', before.reason, false))
  }

  write(call: string, notes: Notes): void { this.drafts.write(call, notes) }

  /**
   * moment is that of the phrases: the service's, unless this page knows better, of a caller who complains, or whom the
   * agent is about to hang up on.
   */
  get moment(): Moment {
    if (this.panel === 'hangup') return 'closing'
    const moment = this.desk?.phrase.moment ?? 'idle'
    const complains = this.forms?.topics.find((t) => t.id === this.topic)?.complaint ?? false
    return complains && this.desk?.call?.scene === 'talking' ? 'complaint' : moment
  }

  /** said are the operator's words for a moment, in the language of the page. */
  said(moment: Moment): string[] { return (this.phrases?.[language()] ?? this.phrases?.['zh-CN'] ?? {})[moment] ?? [] }

  /** pick keeps how a call ended until it is closed: by the agent, the clock, or what takes them out of the wrap-up. */
  pick(call: string, code: string): void {
    this.picked = { call, code }
    sessionStorage.setItem(keptPick, JSON.stringify(this.picked))
  }

  // What was picked counts, however its agent leaves the wrap-up. false: the service has not answered.
  async #closeCall(): Promise<boolean> {
    const { call, code } = this.picked
    return this.desk?.wrap_up?.call !== call || this.wrapUp(call, code, false)
  }

  /** wrapUp closes a call; false: the service has not answered, and may be asked again. */
  async wrapUp(call: string, code: string, ready = true): Promise<boolean> {
    await this.drafts.flush()
    try {
      await api.post('/desk/wrap-up', { call, code, ready })
      return true
    } catch (error) {
      app.sorry(error)
      return error instanceof Refusal && error.final
    }
  }

  /** allow has the browser ask for the microphone. */
  async allow(): Promise<void> { await this.#listen() }

  async useMic(device: string): Promise<void> {
    localStorage.setItem(keptMic, device)
    await this.phone.listen(device)
  }

  // The browser is asked once, however many wait for its answer.
  #listen(): Promise<Mic> {
    this.#listening ??= this.phone.listen(this.devices.mic).finally(() => { this.#listening = null })
    return this.#listening
  }

  async useSpeaker(device: string): Promise<void> {
    hearAt(device)
    await this.phone.speaker(device)
  }

  /**
   * echo records what is said in three seconds: as the service sends it back, or where there is no line, as the microphone
   * gives it. null: it has not.
   */
  async echo(): Promise<{ said: Blob; line: boolean } | null> {
    const { stream, remote } = this.phone
    if (!stream) return null
    const line = this.line === 'ok' && remote !== null && this.desk?.call == null && (await this.signal.do({ act: 'echo' }).then(() => true, () => false))
    this.phone.hush(line) // it is heard once, and afterwards
    try {
      return { said: await recorded(line ? remote : stream, 3000), line }
    } catch (error) {
      app.sorry(error)
      return null
    } finally {
      this.phone.hush(false)
    }
  }

  passed(): void {
    localStorage.setItem(tested, '1')
    this.tested = true
    this.panel = ''
    if (!this.phone.stream) void this.#listen() // the check may wait, the microphone may not
  }

  get devices(): { mic: string; speaker: string } {
    return { mic: localStorage.getItem(keptMic) ?? '', speaker: speaker() }
  }

  async #begin(): Promise<void> {
    // The desk is on the screen before the microphone and the line are.
    void api.get<Desk>('/desk').then((desk) => { if (!this.desk && this.signalState !== 'taken') this.#take(desk) }).catch((error) => {
      this.missing = error instanceof Refusal && error.code === 'no-agent'
      if (!this.missing) app.sorry(error)
    })
    void this.drafts.flush()
    this.#ends.push(trying(async () => { this.forms = await api.get<Forms>('/desk/forms') }))
    this.#ends.push(trying(async () => { this.phrases = (await api.get<{ phrases: Phrases }>('/phrases')).phrases }))
    // The browser asks for the microphone when the page has said why: in the device check, or where unasked is shown.
    if (this.tested || !(await Phone.mustAsk())) await this.#listen()
    else this.unasked = this.mic === null
    if (this.devices.speaker) void this.phone.speaker(this.devices.speaker)
    this.signal.start()
  }

  async #welcome(resumed: boolean): Promise<void> {
    if (this.mic) this.signal.send('mic', { state: this.mic })
    if (!resumed || this.line === 'none') await this.phone.connect()
    void this.drafts.flush()
  }

  #went(state: SignalState, code: string): void {
    if (state === 'lost' && this.signalState !== 'lost' && this.line !== 'lost') this.apart = Date.now()
    this.signalState = state
    this.code = code
    if (state === 'open') this.#opened = true
    if (state === 'lost' && !this.#opened) void this.#probe()
    if (state === 'taken') this.#cede()
    if (state === 'gone') this.#silence()
    if (state === 'gone' && code) app.tell(codeSentence(code))
  }

  // Another tab has the desk. Of the call and its customer nothing stays on this screen; what was written is kept.
  #cede(): void {
    this.#silence()
    this.phone.hangUp()
    void this.drafts.flush()
    this.desk = null
    this.panel = ''
    this.history = null
    this.#seen = ''
    app.free()
  }

  // A socket that does not open says not why. Where the service has no lines for browsers, its address is not there.
  async #probe(): Promise<void> {
    const answer = await fetch(`${root}/desk/signal`).catch(() => null)
    if (answer?.status !== 404 || this.deaf || this.#opened) return
    this.signal.stop()
    this.#withoutLine()
  }

  // The service offers no line to this browser: the desk shows the agent's phone, and acts go over HTTP.
  #withoutLine(): void {
    this.deaf = true
    this.signalState = 'open'
    this.phone.close()
    this.#ends.push(live<Desk>('desk', {
      view: (view) => this.#take(view),
      state: (state) => {
        if (state === 'lost') this.apart = Date.now()
        this.signalState = state === 'lost' ? 'lost' : 'open'
      },
      gone: () => { app.me = null },
    }))
  }

  #take(desk: Desk): void {
    app.clock.hear(desk.now)
    app.now = app.clock.now()
    const before = this.desk?.call ?? null
    if (desk.link.audio === 'lost' && this.desk?.link.audio !== 'lost' && this.line === 'ok') this.apart = Date.now()
    this.desk = desk
    if (!this.talking) app.free()
    const call = desk.call
    if (call) this.phone.hush(false)
    if (call?.id !== this.#shut || call.muted) this.#shut = ''
    if (call?.muted !== before?.muted || call?.id !== before?.id) this.phone.open(!call?.muted && !this.#shut)
    if (this.#shut && this.signalState === 'open') {
      this.#shut = ''
      void this.do({ act: 'mute' })
    }
    if (call?.id !== before?.id || call?.scene === 'ringing') if (this.panel !== 'devices') this.panel = ''
    this.#announce(call?.scene === 'ringing' ? call : null)
    const shownCall = call?.id ?? desk.wrap_up?.call ?? ''
    if (shownCall !== this.#seen) {
      this.#seen = shownCall
      this.history = null
      if (shownCall) void this.#remember(shownCall)
    }
  }

  async #remember(call: string): Promise<void> {
    try {
      const history = await api.get<History>(`/desk/history?call=${encodeURIComponent(call)}`)
      if (this.#seen === call) this.history = history
    } catch {
      if (this.#seen === call) this.history = 'unknown'
    }
  }

  // An incoming call rings, names the tab, and raises the system's notification.
  #announce(call: DeskCall | null): void {
    if ((call?.id ?? '') === this.#rung) return
    this.#silence()
    this.#rung = call?.id ?? ''
    if (!call) return
    const words = say()
    if (!this.deaf) this.#ring = ringing()
    // The service says when it is over, unless it is away.
    if (call.ring_ends) this.#quiet = setTimeout(() => this.#silence(), until(call.ring_ends, app.clock.now()) + ringsOn)
    const title = words.call.from(call.number || words.call.withheld)
    if ('Notification' in window && Notification.permission === 'granted' && document.hidden) {
      this.#notification = new Notification(title, { body: call.queue.name, tag: call.id, requireInteraction: true })
      this.#notification.onclick = () => window.focus()
    }
  }

  #silence(): void {
    clearTimeout(this.#quiet)
    this.#ring?.()
    this.#ring = null
    this.#notification?.close()
    this.#notification = null
  }
}
