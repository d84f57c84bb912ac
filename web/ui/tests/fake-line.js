// The other end of a browser's line, played: it answers, connects, and sends nothing. `?line=lost` has it break.
class FakeLine extends EventTarget {
  connectionState = 'new'
  signalingState = 'stable'
  remoteDescription = null
  constructor() {
    super()
    this.senders = []
  }
  addTrack(track) {
    const sender = { track, replaceTrack: async (t) => { sender.track = t }, dtmf: { insertDTMF() {} } }
    this.senders.push(sender)
    return sender
  }
  getSenders() { return this.senders }
  async createOffer() { return { type: 'offer', sdp: 'v=0' } }
  async setLocalDescription() { this.signalingState = 'have-local-offer' }
  async setRemoteDescription(d) {
    this.remoteDescription = d
    this.signalingState = 'stable'
    setTimeout(() => this.to('connected'), 50)
    if (document.cookie.includes('line=lost')) setTimeout(() => this.to('disconnected'), 300)
  }
  async addIceCandidate() {}
  to(state) {
    if (this.connectionState === 'closed') return
    this.connectionState = state
    this.onconnectionstatechange?.()
  }
  close() { this.connectionState = 'closed' }
}
window.RTCPeerConnection = FakeLine
