// What stands in for a line and, where a page is fixed, for the clock: loaded before anything else of a page.
(() => {
  const said = new URLSearchParams(decodeURIComponent(/(?:^|; )played=([^;]*)/.exec(document.cookie)?.[1] ?? ''))
  if (said.get('language')) localStorage.setItem('hotline.language', said.get('language'))
  if (said.has('untested')) localStorage.removeItem('hotline.tested')
  else localStorage.setItem('hotline.tested', '1')
  if (said.has('unasked')) navigator.permissions.query = async () => ({ state: 'prompt' })

  // The clock stands still at the service's time, and meters show one level: a picture taken twice is the same.
  let fixed = Number(said.get('fixed'))
  if (fixed) {
    const Clock = Date
    window.Date = class extends Clock {
      constructor(...when) { when.length ? super(...when) : super(fixed) }
      static now() { return fixed }
    }
    const still = new CSSStyleSheet()
    still.replaceSync('* { caret-color: transparent !important }') // which blinks
    document.adoptedStyleSheets = [still]
    window.__later = (ms) => { fixed += ms }
    AnalyserNode.prototype.getFloatTimeDomainData = (samples) => samples.fill(0.05)
    Object.defineProperty(BaseAudioContext.prototype, 'state', { get: () => 'running' })
  }

  // A page is settled once nothing is asked any more, nothing has changed for a while, and a line that is to break has broken.
  const breaks = said.get('line') === 'lost'
  let apart = !breaks
  let asked = 0
  let changed = performance.now()
  const during = (what) => (...about) => {
    asked++
    return Promise.resolve(what(...about)).finally(() => { asked-- })
  }
  window.fetch = during(window.fetch.bind(window))
  if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = during(navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices))
  new MutationObserver(() => { changed = performance.now() }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['class', 'aria-busy', 'disabled'] })
  window.__settled = (quiet = 250) => document.readyState === 'complete' && document.querySelector('main') !== null && apart && asked === 0 && performance.now() - changed > quiet

  // A socket is asked for until it says something, or ends.
  const Socket = WebSocket
  window.WebSocket = class extends Socket {
    constructor(...where) {
      super(...where)
      void during(() => new Promise((said) => { for (const event of ['message', 'close']) this.addEventListener(event, said) }))()
    }
  }

  // The other end of a line answers, connects, and sends nothing; or it breaks, once and for good.
  let broken = false
  window.RTCPeerConnection = class extends EventTarget {
    connectionState = 'new'
    signalingState = 'stable'
    #senders = []
    addTrack(track) {
      const sender = { track, replaceTrack: async (other) => { sender.track = other }, dtmf: { toneBuffer: '', insertDTMF() {} } }
      this.#senders.push(sender)
      return sender
    }
    getSenders() { return this.#senders }
    async createOffer() { return { type: 'offer', sdp: 'v=0' } }
    async setLocalDescription() { this.signalingState = 'have-local-offer' }
    async setRemoteDescription() {
      this.signalingState = 'stable'
      if (broken) return
      broken = breaks
      void this.#goes(breaks ? ['connected', 'disconnected'] : ['connected'])
    }
    async addIceCandidate() {}
    close() { this.connectionState = 'closed' }
    #goes = during(async (states) => {
      for (const state of states) {
        await new Promise((later) => setTimeout(later, 50))
        if (this.connectionState === 'closed') return
        this.connectionState = state
        this.onconnectionstatechange?.()
        apart ||= state === 'disconnected'
      }
    })
  }
})()
